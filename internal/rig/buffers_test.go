//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mediagate/internal/lab"
)

// TestKeepBuffers: what was set is there again afterwards, and of two runs at a time the first one restores it.
func TestKeepBuffers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "skb_defer_max")
	if text, restore, err := keepBuffers(file); err != nil || restore() != nil || text != "no net.core.skb_defer_max" {
		t.Errorf("without the file: %q, error %v", text, err)
	}
	want := func(when, want string) {
		t.Helper()
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s: %q, error %v, want %q", when, got, err, want)
		}
	}
	werr := os.WriteFile(file, []byte("64\n"), 0o600)
	text, restore, err := keepBuffers(file)
	if err := errors.Join(werr, err); err != nil || text != "net.core.skb_defer_max 0 (was 64)" {
		t.Fatalf("%q, error %v", text, err)
	}
	want("while it runs", "0\n")
	text, second, err := keepBuffers(file)
	if err != nil || text != "net.core.skb_defer_max 0" {
		t.Fatalf("second run: %q, error %v", text, err)
	}
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	if err := second(); err != nil {
		t.Fatal(err)
	}
	want("afterwards", "64\n")
}

// TestBuffersAfterFault: an interrupted run and one that fails leave the machine as it was.
func TestBuffersAfterFault(t *testing.T) {
	lab.NeedRoot(t)
	lab.Need(t, "ip", "nft", "ethtool")
	before, err := os.ReadFile(deferMaxFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := options{relays: reference, repeat: 1, receive: receiveThread, load: load{Flows: 1, Size: 100, Rate: 1000, Burst: 1}}
	if _, err := o.report(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: error %v", err)
	}
	o.search, o.relays = true, "nobody's"
	if _, err := o.report(t.Context()); err == nil || !strings.Contains(err.Error(), "there is no") {
		t.Errorf("a relay that there is not: error %v", err)
	}
	if after, _ := os.ReadFile(deferMaxFile); string(after) != string(before) {
		t.Errorf("net.core.skb_defer_max is %q, was %q", after, before)
	}
}

// TestUntilTold: a write to who is gone is an error and no more; a signal that asks for the end is one.
func TestUntilTold(t *testing.T) {
	ctx, stop := untilTold()
	defer stop()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = read.Close()
	if _, err := write.Write([]byte("x")); !errors.Is(err, unix.EPIPE) {
		t.Errorf("write: %v", err)
	}
	_ = write.Close()
	if err := unix.Kill(os.Getpid(), unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); !strings.Contains(cause.Error(), unix.SIGTERM.String()) {
		t.Errorf("it ended for %v", cause) // the write's signal has the lower number and would have come first
	}
}
