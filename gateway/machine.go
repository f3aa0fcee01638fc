package gateway

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"mediagate/internal/config"
)

const (
	// procSys is where the kernel's settings are files.
	procSys = "/proc/sys"
	// sharedBuffers is how much larger udprelay makes the buffers of a socket that all flows share.
	sharedBuffers = 8
)

// Warnings says, a sentence each, what of the machine's settings is too small for a configuration, and what to do. The
// gateway runs all the same. Where there are no such settings to be read there is nothing to be said.
func Warnings(cfg *config.Config) []string { return warnings(cfg, procSys, descriptorLimit()) }

// warnings reads the kernel's settings below root; files is how many descriptors the process may come to have, 0 if that
// is not known.
func warnings(cfg *config.Config, root string, files uint64) []string {
	var all []string
	for _, b := range []struct {
		key, sysctl string
		size        config.Size
	}{
		{"relay.receive_buffer", "net.core.rmem_max", cfg.Relay.ReceiveBuffer},
		{"relay.send_buffer", "net.core.wmem_max", cfg.Relay.SendBuffer},
	} {
		size, whose := int(b.size), ""
		if shared(cfg.Relay.ClientMedia.Ports) {
			size, whose = size*sharedBuffers, " for the sockets of the shared pair"
		}
		if granted, ok := setting(root, b.sysctl); ok && granted < size {
			all = append(all, fmt.Sprintf("%s: %s asks for %s%s, and the kernel grants %s: sysctl -w %s=%d",
				b.key, b.size, config.Size(size), whose, config.Size(granted), b.sysctl, size))
		}
	}
	if want := descriptorsWanted(cfg); files > 0 && files < want {
		all = append(all, fmt.Sprintf("the process may open %d files; the ports of relay.client_media and relay.origin_media "+
			"alone take up to %d: ulimit -n %d, or LimitNOFILE=%d", files, want, want, want))
	}
	return all
}

// shared tells whether a range of client ports is one pair for all.
func shared(r config.PortRange) bool { return r.Hi-r.Lo == 1 && r.Lo%2 == 0 }

// setting reads a setting that is a number, such as "net.core.rmem_max".
func setting(root, name string) (int, bool) {
	data, err := os.ReadFile(filepath.Join(root, strings.ReplaceAll(name, ".", "/")))
	if err != nil {
		return 0, false // another system, or one that hides it
	}
	v, err := strconv.Atoi(strings.TrimSpace(string(data)))
	return v, err == nil
}

// descriptorsWanted is how many descriptors the media ports take when all are in use, and a few that every process has.
func descriptorsWanted(cfg *config.Config) uint64 {
	const few = 64
	ports := func(r config.PortRange) uint64 { return uint64(r.Hi-r.Lo) + 1 }
	return ports(cfg.Relay.ClientMedia.Ports) + ports(cfg.Relay.OriginMedia.Ports) + few
}

// prepare raises the limit of descriptors as far as the system lets it, and tells what the machine grants less of than
// the configuration asks for.
func (g *Gateway) prepare() {
	if got := raiseDescriptors(descriptorsWanted(g.cfg)); got > 0 {
		g.log.Info("files that may be open", zap.Uint64("limit", got), zap.Uint64("media_ports", descriptorsWanted(g.cfg)))
	}
	for _, w := range Warnings(g.cfg) {
		g.log.Warn("the machine grants less than the configuration asks for", zap.String("what", w))
	}
}
