package transparent_test

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"

	"mediagate/internal/transparent"
)

func TestOpError(t *testing.T) {
	err := error(&transparent.OpError{Op: "dial", Addr: netip.MustParseAddrPort("192.0.2.1:554"), Err: syscall.ECONNREFUSED})
	if got, want := err.Error(), "transparent: dial 192.0.2.1:554: connection refused"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error("the cause is not found")
	}
}

func TestForwardingWords(t *testing.T) {
	for f, want := range map[transparent.Forwarding]string{
		transparent.Reject: "reject", transparent.MediaOnly: "media-only", transparent.Off: "off",
	} {
		if got := f.String(); got != want {
			t.Errorf("%d is %q, want %q", f, got, want)
		}
	}
}
