package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"mediagate/internal/origin"
	"mediagate/internal/player"
)

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
			gone := time.AfterFunc(500*time.Millisecond, func() { _ = o.Close() }) // closed again above
			defer gone.Stop()
			server := o.Addr()
			switch {
			case strings.HasPrefix(scheme, "mms"):
				server = o.MMSAddr()
			case scheme == "http":
				server = o.HTTPAddr()
			}
			var stdout, stderr strings.Builder
			err = playTo(t.Context(), player.Options{URL: scheme + "://" + server.String() + samplePath}, "", &stdout, &stderr)
			if err == nil || !strings.Contains(stdout.String(), "\nend of stream  false\n") || !strings.Contains(stderr.String(), "first packet") {
				t.Errorf("error %v, report\n%s\nsteps\n%s", err, stdout.String(), stderr.String())
			}
		})
	}
}
