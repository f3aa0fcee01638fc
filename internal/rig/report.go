//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// report is everything that a run of the rig found.
type report struct {
	Date    time.Time  `json:"date"`
	Kernel  string     `json:"kernel"`
	CPU     string     `json:"cpu"`
	Cores   int        `json:"cores"`
	Go      string     `json:"go"`
	Receive string     `json:"receive"`
	Buffers string     `json:"buffers"` // where the kernel frees them (keepBuffers)
	Points  []*point   `json:"points"`
	Peaks   []peak     `json:"peaks,omitempty"`
	TCP     []*tcpCost `json:"tcp,omitempty"`
}

// addTCP measures interleaved media.
func (r *report) addTCP(ctx context.Context, l load, window time.Duration) error {
	c, err := measureTCP(ctx, r.Receive, l, window)
	if err != nil {
		return err
	}
	r.TCP = append(r.TCP, c)
	return nil
}

func newReport(receive string) *report {
	r := &report{Date: time.Now().UTC().Truncate(time.Second), CPU: processor(), Cores: runtime.NumCPU(), Go: runtime.Version(), Receive: receive}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		r.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	return r
}

// processor is the name of the processor, empty if the system does not tell.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// String is one run on a line.
func (f figures) String() string {
	return fmt.Sprintf("%-10s %6.2f us/packet (process %5.2f, core %5.2f) at %6.0f/s, lost %d of %d, order %d, late %d, p50 %d us, p99 %d us, %d MiB, %d B/session",
		f.Relay, f.CPU, f.Process, f.Core, f.Rate, f.Lost, f.Sent, f.Order, f.Late, f.P50, f.P99, f.Memory>>20, f.Session)
}

// writeTable writes the report in Markdown.
func (r *report) writeTable(out io.Writer) {
	fmt.Fprintf(out, "%s, %d cores (%s), kernel %s, %s, receive path: %s, %s\n", r.Date.Format(time.DateOnly), r.Cores, r.CPU, r.Kernel, r.Go, r.Receive, r.Buffers)
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	row := func(cells ...any) {
		for _, c := range cells {
			fmt.Fprintf(w, "| %v\t", c)
		}
		fmt.Fprintln(w, "|")
	}
	r.writePoints(out, row)
	_ = w.Flush() // out says what is wrong with it by itself
	r.writePeaks(out, w, row)
	for _, c := range r.TCP {
		fmt.Fprintf(out, "\n%v\n", c)
	}
}

func (r *report) writePoints(out io.Writer, row func(...any)) {
	if len(r.Points) == 0 {
		return
	}
	fmt.Fprintln(out)
	row("point", "relay", "CPU s per million", "x kernel NAT", "lost", "p50 / p99 us", "RSS MiB", "bytes a session")
	row("---", "---", "---:", "---:", "---:", "---:", "---:", "---:")
	for _, p := range r.Points {
		for _, c := range p.Cells {
			if c.Absent != "" {
				row(p.Name, c.Relay, c.Absent, "", "", "", "", "")
				continue
			}
			m := c.Median
			row(p.Name, c.Relay, fmt.Sprintf("%.2f", m.CPU), times(c.Ratio), m.Lost, fmt.Sprintf("%d / %d", m.P50, m.P99), orNone(m.Memory>>20), orNone(m.Session))
		}
	}
}

// writeGoals writes which goals are met.
func (r *report) writeGoals(out io.Writer) {
	fmt.Fprintln(out)
	for _, g := range r.goals() {
		fmt.Fprintln(out, g)
	}
}

func (r *report) writePeaks(out io.Writer, w *tabwriter.Writer, row func(...any)) {
	if len(r.Peaks) == 0 {
		return
	}
	fmt.Fprintln(out)
	row("relay", "burst", "packets a second without loss, one core")
	row("---", "---:", "---:")
	for _, p := range r.Peaks {
		text := fmt.Sprintf("%.0f", p.Rate)
		switch {
		case p.Absent != "":
			text = p.Absent
		case p.AtMost:
			text = "at least " + text
		}
		row(p.Relay, p.Burst, text)
	}
	_ = w.Flush()
}

func times(ratio float64) string {
	if ratio == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", ratio)
}

func orNone(n int64) any {
	if n == 0 {
		return ""
	}
	return n
}

// writeJSON writes the report to a file.
func (r *report) writeJSON(name string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(name, append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("rig: write report: %w", err)
	}
	return nil
}
