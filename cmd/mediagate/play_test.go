package main

import (
	"net/netip"
	"strings"
	"sync"
	"testing"

	"mediagate/internal/origin"
	"mediagate/internal/player"
)

// breaksOff is an output that closes an origin once the first packet is in it.
type breaksOff struct {
	origin *origin.Server
	once   sync.Once
}

func (b *breaksOff) Write(p []byte) (int, error) {
	b.once.Do(func() { go b.origin.Close() }) // it waits for who writes; the test closes it again
	return len(p), nil
}

// TestPlayBreaksOff holds that a stream that breaks off is reported, and is an error all the same.
func TestPlayBreaksOff(t *testing.T) {
	for _, scheme := range []string{"rtspu", "rtspt", "mmsu", "mmst", "http"} {
		t.Run(scheme, func(t *testing.T) {
			at := netip.MustParseAddrPort("127.0.0.77:0")
			o, err := origin.New(origin.Config{Listen: at, MMS: at, HTTP: at})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := o.Close(); err != nil {
					t.Error(err)
				}
			}()
			if err := o.Start(); err != nil {
				t.Fatal(err)
			}
			server := o.Addr()
			switch {
			case strings.HasPrefix(scheme, "mms"):
				server = o.MMSAddr()
			case scheme == "http":
				server = o.HTTPAddr()
			}
			var stdout, stderr strings.Builder
			options := player.Options{URL: scheme + "://" + server.String() + samplePath, Output: &breaksOff{origin: o}}
			err = playTo(t.Context(), options, "", &stdout, &stderr)
			if err == nil || !strings.Contains(stdout.String(), "\nend of stream  false\n") || !strings.Contains(stderr.String(), "first packet") {
				t.Errorf("error %v, report\n%s\nsteps\n%s", err, stdout.String(), stderr.String())
			}
		})
	}
}
