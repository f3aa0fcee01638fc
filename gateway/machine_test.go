package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mediagate/internal/config"
)

func TestWarnings(t *testing.T) {
	const enough = 20000
	for _, tc := range []struct {
		name       string
		edit       func(*config.Relay)
		rmem, wmem string // "" is not there
		files      uint64
		want       []string
	}{
		{"all is there", nil, "2097152\n", "2097152\n", enough, nil},
		{"Debian's defaults", nil, "212992\n", "212992\n", enough, []string{
			"relay.receive_buffer: 256KiB asks for 2MiB for the sockets of the shared pair, and the kernel grants 208KiB: " +
				"sysctl -w net.core.rmem_max=2097152",
			"relay.send_buffer: 256KiB asks for 2MiB for the sockets of the shared pair, and the kernel grants 208KiB: " +
				"sysctl -w net.core.wmem_max=2097152",
		}},
		{"a range for the clients", func(r *config.Relay) { r.ClientMedia.Ports = config.PortRange{Lo: 40000, Hi: 40099} },
			"212992", "262144", enough, []string{
				"relay.receive_buffer: 256KiB asks for 256KiB, and the kernel grants 208KiB: sysctl -w net.core.rmem_max=262144",
			}},
		{"small buffers", func(r *config.Relay) { r.ReceiveBuffer, r.SendBuffer = 16<<10, 16<<10 }, "212992", "212992", enough, nil},
		{"settings that are hidden", nil, "", "", enough, nil},
		{"settings that are no numbers", nil, "x", "", enough, nil},
		{"few files", nil, "", "", 1024, []string{
			"the process may open 1024 files; the ports of relay.client_media and relay.origin_media alone take up to 10066: " +
				"ulimit -n 10066, or LimitNOFILE=10066",
		}},
		{"files that are not known", nil, "", "", 0, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := config.Default()
			if tc.edit != nil {
				tc.edit(&cfg.Relay)
			}
			root := t.TempDir()
			writeSetting(t, root, "net/core/rmem_max", tc.rmem)
			writeSetting(t, root, "net/core/wmem_max", tc.wmem)
			if diff := cmp.Diff(tc.want, warnings(cfg, root, tc.files)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func writeSetting(t *testing.T, root, name, text string) {
	t.Helper()
	if text == "" {
		return
	}
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDescriptors: what raising has come to is what there is then, and it is never less than before.
func TestDescriptors(t *testing.T) {
	before := descriptorLimit()
	got := raiseDescriptors(1) // no more than any process has
	if got != descriptorLimit() || got < before {
		t.Errorf("raised to %d, the limit was %d and is %d", got, before, descriptorLimit())
	}
	for _, w := range Warnings(config.Default()) {
		if !strings.Contains(w, "sysctl -w") && !strings.Contains(w, "ulimit -n") {
			t.Errorf("%q does not say what to do", w)
		}
	}
}
