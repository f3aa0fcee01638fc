package steer

import (
	"math"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWake: it tells what is there, and waits for nothing.
func TestWake(t *testing.T) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if wake(fd) {
		t.Error("an empty one is readable")
	}
	if _, err := unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if !wake(fd) {
		t.Error("a full one is not readable")
	}
}

func TestChunks(t *testing.T) {
	for _, tc := range []struct {
		buffer, mtu int
		count, size uint32
	}{
		{0, 1500, 64, 2048}, {8 << 20, 1500, 4096, 2048}, {8<<20 - 1, 1500, 2048, 2048}, {8 << 20, 3000, 2048, 4096}, {math.MaxInt, 1500, 1 << 17, 2048},
	} {
		if count, size, err := chunks(tc.buffer, tc.mtu); err != nil || count != tc.count || size != tc.size {
			t.Errorf("%+v: %d of %d, %v", tc, count, size, err)
		}
	}
	if _, _, err := chunks(8<<20, 9000); err == nil {
		t.Error("9000 bytes fit a page")
	}
}
