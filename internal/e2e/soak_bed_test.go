package e2e

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// The origin-facing ports of a soak, of no other test and below those that the kernel gives out.
const soakPortLo, soakPortHi = 12000, 19999

// slow is an origin that sends slowly.
type slow struct {
	addr            netip.Addr
	rtsp, mms, http uint16
}

// slowOrigin runs the program's own origin as a process, so that what it remembers is not counted as the gateway's.
func slowOrigin(t *testing.T) slow {
	t.Helper()
	o := slow{addr: lab.Loopback(t)}
	ports := lab.FreePorts(t, o.addr, 3)
	o.rtsp, o.mms, o.http = ports[0].Port(), ports[1].Port(), ports[2].Port()
	ready := make(chan struct{}, 1) // it says it once
	p := lab.Start(t, lab.Command{
		Path: lab.Binary(t),
		Args: []string{"origin", "--listen", netip.AddrPortFrom(o.addr, o.rtsp).String(), "--speed", "0.1",
			"--mms", strconv.Itoa(int(o.mms)), "--http", strconv.Itoa(int(o.http))},
		Stdout: func(line string) {
			if strings.HasPrefix(line, "serving mms") {
				ready <- struct{}{}
			}
		},
	})
	select {
	case <-ready:
	case <-p.Done():
		t.Fatalf("the origin ended\n%s", p.Output())
	case <-time.After(playLimit):
		t.Fatalf("the origin is not ready\n%s", p.Output())
	}
	return o
}

// needDescriptors fails the test if the process may not open as many.
func needDescriptors(t *testing.T, n int) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur < uint64(n) {
		t.Fatalf("the process may open %d files, the soak wants %d: ulimit -n, or %s", limit.Cur, n, soakSessions)
	}
}

// usage is what the process holds at rest.
type usage struct {
	goroutines, descriptors, ports int
	heap, resident                 uint64 // bytes
}

func (u usage) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d media ports, heap %.1f MiB, resident %.0f MiB",
		u.goroutines, u.descriptors, u.ports, float64(u.heap)/(1<<20), float64(u.resident)/(1<<20))
}

// measure waits until the process holds no more than before, for a moment at least, and counts. What was before has no
// goroutine when nothing was: then it is at rest when the number of goroutines stands still.
func measure(t *testing.T, g *inProcess, before usage) usage {
	t.Helper()
	if before.goroutines == 0 {
		lab.Take()
	}
	lab.Eventually(playLimit, func() bool {
		return mediaPorts(t) == 0 && (before.goroutines == 0 ||
			runtime.NumGoroutine() <= before.goroutines && lab.Descriptors(os.Getpid()) <= before.descriptors)
	})
	debug.FreeOSMemory() // collects the garbage too
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{
		goroutines:  runtime.NumGoroutine(),
		descriptors: lab.Descriptors(os.Getpid()),
		ports:       mediaPorts(t) + g.Flows(),
		heap:        m.HeapAlloc,
		resident:    resident(t),
	}
}

// flat fails the test if at rest there is more than there was, which so many sessions at a time have left.
func (u usage) flat(t *testing.T, before usage, sessions int) {
	t.Helper()
	growth := soakGrowth + uint64(sessions)*soakGrowthEach
	if u.ports != 0 {
		t.Errorf("%d media ports are bound at rest", u.ports)
	}
	if u.goroutines > before.goroutines || u.descriptors > before.descriptors {
		t.Errorf("at rest there are %s; there were %s", u, before)
	}
	if u.heap > before.heap+growth {
		t.Errorf("the heap has grown from %d to %d bytes", before.heap, u.heap)
	}
	// What the collector keeps of the system's memory varies; a leak of sockets' or stacks' memory is above it.
	if !raced && u.resident > before.resident+before.resident/2+4*growth {
		t.Errorf("the resident memory has grown from %d to %d bytes", before.resident, u.resident)
	}
}

// mediaPorts is the number of UDP sockets in the soak's range, as the kernel has them.
func mediaPorts(t *testing.T) int {
	t.Helper()
	f, err := os.Open("/proc/self/net/udp")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text()) // "12: 0100007F:4E20 ..."
		if len(fields) < 2 {
			continue
		}
		_, text, _ := strings.Cut(fields[1], ":")
		port, err := strconv.ParseUint(text, 16, 16)
		if err == nil && port >= soakPortLo && port <= soakPortHi {
			n++
		}
	}
	return n
}

// resident is the memory of the process that is in use, in bytes.
func resident(t *testing.T) uint64 {
	t.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		t.Fatalf("/proc/self/statm is %q", data)
	}
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * uint64(os.Getpagesize())
}
