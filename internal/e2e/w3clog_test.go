package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"mediagate/internal/lab"
	"mediagate/internal/origin"
)

// awstatsProgram is where Debian keeps it, outside of PATH.
const awstatsProgram = "/usr/lib/cgi-bin/awstats.pl"

// TestW3CLogAnalysed: awstats knows the format by its fields, takes every line, and counts what the session records
// count.
func TestW3CLogAnalysed(t *testing.T) {
	lab.Need(t, awstatsProgram)
	sample := lab.SampleASF(t)
	log := filepath.Join(t.TempDir(), "wms.log")
	from := mmsOrigin(t, lab.Loopback(t), origin.Config{Speed: 8}, sample, "a b.wmv")
	gw := mmsProgram(t, lab.Settings{W3CLog: log}, from)
	var plays []*lab.MMSPlay
	for range 2 {
		for _, kind := range []lab.MMSKind{lab.VLC("mmst"), lab.FFmpegMMS()} {
			plays = append(plays, lab.PlayMMS(t, kind, mmsURL(gw.Addr.Addr(), "a%20b.wmv?x=1"), nil))
		}
	}
	for _, p := range plays {
		playsWhole(t, p, sample)
	}
	all := func() bool { return len(lab.Records(t, gw.Records)) >= len(plays) }
	if !lab.Eventually(recordLimit, all) {
		t.Fatalf("%d records", len(lab.Records(t, gw.Records)))
	}
	gw.Stop(syscall.SIGTERM) // the log is written whole then
	var bytes uint64
	for _, r := range lab.Records(t, gw.Records) {
		bytes += r.ToClient.Bytes
	}
	data := awstats(t, log)
	for _, want := range []string{"Found 0 dropped records", "Found 0 corrupted records", fmt.Sprintf("Found %d new qualified records", len(plays))} {
		if !strings.Contains(data.said, want) {
			t.Errorf("awstats does not say %q:\n%s", want, data.said)
		}
	}
	if got := data.hits["/a%20b.wmv"]; got != fmt.Sprintf("%d %d", len(plays), bytes) {
		t.Errorf("hits and bytes: %q of %v, want %d %d", got, data.hits, len(plays), bytes)
	}
}

// analysed is what awstats made of a log.
type analysed struct {
	said string
	hits map[string]string // by path: hits and bytes
}

func awstats(t *testing.T, log string) analysed {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf("LogFile=%q\nLogType=S\nLogFormat=2\nLogSeparator=\" \"\nSiteDomain=\"media\"\nHostAliases=\"media\"\nDNSLookup=0\nDirData=%q\n", log, dir)
	if err := os.WriteFile(filepath.Join(dir, "awstats.media.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("perl", awstatsProgram, "-config=media", "-configdir="+dir, "-update", "-showcorrupted", "-showdropped")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("awstats: %v\n%s", err, out)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "awstats*.media.txt"))
	a := analysed{said: string(out), hits: make(map[string]string)}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		part := regexp.MustCompile(`(?s)BEGIN_DOWNLOADS.*?END_DOWNLOADS`).FindString(string(data))
		for line := range strings.Lines(part) {
			if f := strings.Fields(line); len(f) == 4 && strings.HasPrefix(f[0], "/") {
				a.hits[f[0]] = f[1] + " " + f[3]
			}
		}
	}
	return a
}
