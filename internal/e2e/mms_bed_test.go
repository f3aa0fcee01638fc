package e2e

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mediagate/internal/lab"
	"mediagate/internal/origin"
)

// mmsPort is where players and Wireshark look for MMS ([MS-MMSP] 1.9).
const mmsPort = 1755

// mmsOrigin runs the embedded origin with MMS on its own port at addr. It
// serves media under each of the names, if there are any: the name that a
// session asks for tells its player.
func mmsOrigin(t *testing.T, addr netip.Addr, cfg origin.Config, media []byte, names ...string) lab.Node {
	t.Helper()
	cfg.Listen = lab.FreePort(t, addr)
	cfg.MMS = netip.AddrPortFrom(addr, mmsPort)
	if len(names) > 0 {
		cfg.Dir = mediaFolder(t, media, names...)
	}
	srv, err := origin.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("close origin: %v", err)
		}
	})
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	return node("wms", cfg.MMS)
}

// mediaFolder is a folder with media under each name.
func mediaFolder(t *testing.T, media []byte, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), media, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// fileOf is the name of the file that a kind of player plays.
func fileOf(kind lab.MMSKind) string { return strings.ReplaceAll(kind.Name, "/", "-") + ".wmv" }

// filesOf names the files of several kinds.
func filesOf(kinds []lab.MMSKind) []string {
	var names []string
	for _, kind := range kinds {
		names = append(names, fileOf(kind))
	}
	return names
}

// startAll starts players of one server at the same time, each on its own file,
// but for one thing: a player over UDP is started first and let begin. What
// comes while a busy machine does not let it read is lost for it, and no player
// of ours asks again; at the usual speed a buffer has room for some seconds.
func startAll(t *testing.T, kinds []lab.MMSKind, at netip.Addr, host *lab.Host) []*lab.MMSPlay {
	t.Helper()
	var plays []*lab.MMSPlay
	for _, kind := range kinds {
		p := lab.PlayMMS(t, kind, mmsURL(at, fileOf(kind)), host)
		if kind.Transport == "udp" && !lab.Eventually(playLimit, func() bool { return len(p.Written()) > 0 }) {
			t.Errorf("%s does not begin\n%s", kind.Name, p.Output())
		}
		plays = append(plays, p)
	}
	return plays
}

// playsWhole waits for the end of a player and compares what it wrote with the
// file that it played.
func playsWhole(t *testing.T, p *lab.MMSPlay, file []byte) {
	t.Helper()
	if p.Kind.Frames {
		want := lab.Frames(t, file)
		if diff := lab.DiffFrames(p.WaitEnd(want, playLimit), want); diff != "" {
			t.Errorf("%s: %s\n%s", p.Kind.Name, diff, p.Output())
		}
		return
	}
	if diff := lab.DiffASF(p.WaitEnd(file, playLimit), file, 0); diff != "" {
		t.Errorf("%s: %s\n%s", p.Kind.Name, diff, p.Output())
	}
}
