//go:build linux

package main

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// TestMain plays the relay's process when it is started as one.
func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestSmoke sends two seconds of a low rate through our engine and through kernel NAT: nothing is lost, nothing comes out
// of order, and the figures are such as can be.
func TestSmoke(t *testing.T) {
	lab.NeedRoot(t)
	lab.NeedLinux(t, 6, 6) // the sink's TCX
	lab.Need(t, "ip", "nft", "ethtool")
	for _, name := range []string{reference, "plain", "fast"} {
		for _, burst := range []int{1, 16} {
			// So few that sockets have room for what comes while somebody is held up.
			l := load{Flows: 50, Size: 1316, Rate: 200, Burst: burst, Tick: 200 * time.Microsecond, Patience: 5 * time.Second}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			f, err := measure(ctx, receiveThread, name, l, 2*time.Second)
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			t.Log(f)
			if f.Lost != 0 || f.Order != 0 {
				t.Errorf("%s, bursts of %d: %d of %d lost, %d out of order", name, burst, f.Lost, f.Sent, f.Order)
			}
			if f.Sent < 400 || f.CPU <= 0 || f.CPU > 500 || f.P50 <= 0 || f.P99 < f.P50 {
				t.Errorf("%s, bursts of %d: figures that cannot be: %v", name, burst, f)
			}
			if (f.Process > 0) != (name != reference) {
				t.Errorf("%s, bursts of %d: a process took %.2f us a packet", name, burst, f.Process)
			}
		}
	}
}

// TestSmokeTCP plays two sessions of interleaved media through rtsp.Proxy.
func TestSmokeTCP(t *testing.T) {
	lab.NeedRoot(t)
	lab.Need(t, "ip", "nft", "ethtool")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, burst := range bursts {
		c, err := measureTCP(ctx, receiveThread, load{Flows: 2, Size: 1316, Burst: burst}, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if c.Rate < 100 || c.CPU <= 0 || c.CPU > 5000 {
			t.Errorf("figures that cannot be: %v", c)
		}
	}
}

// TestReport: a relay that is not there has its row, and what was not measured is no goal met.
func TestReport(t *testing.T) {
	run := func(relay string, cpu float64) figures {
		return figures{Relay: relay, CPU: cpu, P50: 50, P99: 100, Session: 8 << 10}
	}
	p := &point{Name: "1,000 flows singly", Load: load{Rate: 50000}, Cells: []cell{
		{Relay: reference, Runs: []figures{run(reference, 1), run(reference, 2), run(reference, 3)}},
		{Relay: "plain", Runs: []figures{run("plain", 2), run("plain", 8), run("plain", 30)}},
		{Relay: "rtpengine", Absent: "rtpengine is not installed"},
	}}
	p.compare()
	if got := p.Cells[1].Ratio; got != 4 {
		t.Errorf("ratio %v: it is the median of the ratios of each turn", got)
	}
	var out bytes.Buffer
	r := &report{Points: []*point{p}, Peaks: []peak{{Relay: "plain", Burst: 1, Rate: 1e5}, {Relay: "rtpengine", Burst: 1, Rate: 8e4}}}
	r.writeTable(&out)
	r.writeGoals(&out)
	for _, want := range []string{"rtpengine is not installed", "not measured: 1,000 flows singly, plain against rtpengine",
		"MISSED: 1,000 flows singly, plain against nat, CPU: 4.00, at most 2.80", "p99 delay: 1.00, at most 2.00", "bursts of 1: 0.80, at most 0.50"} {
		if !bytes.Contains(out.Bytes(), []byte(want)) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}
