package balancer

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"testing"
)

// many returns n candidates n0, n1, ... of weight 1.
func many(n int) []Candidate {
	c := make([]Candidate, n)
	for i := range c {
		c[i] = Candidate{Node: Node{Name: fmt.Sprintf("n%d", i), Weight: 1}}
	}
	return c
}

func urlKey(i int) Key { return Key{URL: fmt.Sprintf("rtsp://gw.example.com/clips/%d.wmv", i)} }

func TestHashURLSameClip(t *testing.T) {
	c, h := many(50), HashURL()
	want := h.Choose(c, Key{URL: "rtsp://gw.example.com/Clips/a.wmv"})
	for _, url := range []string{
		"rtsp://gw.example.com/clips/A.WMV", "mms://192.0.2.1:1755/clips/a.wmv", "rtsp://x/clips/a.wmv?WMContentBitrate=300000",
		"rtsp://x/clips/a.wmv/", "/clips/a.wmv", "clips/a.wmv#t",
	} {
		if got := h.Choose(c, Key{URL: url}); got != want {
			t.Errorf("%s went to node %d, want %d", url, got, want)
		}
	}
	for _, url := range []string{"", "*", "rtsp://", "rtsp://gw?x", "://"} {
		if i := h.Choose(c, Key{URL: url}); i < 0 || i >= len(c) {
			t.Errorf("%q: node %d", url, i)
		}
	}
}

// The choice is part of what gateways of several versions must agree on.
func TestHashIsFixed(t *testing.T) {
	got := make([]int, 8)
	for i := range got {
		got[i] = HashURL().Choose(many(5), urlKey(i))
	}
	if want := []int{3, 4, 3, 4, 1, 1, 2, 1}; !slices.Equal(got, want) {
		t.Errorf("chose %v, want %v", got, want)
	}
}

func TestHashShares(t *testing.T) {
	const keys = 20000
	c := many(4)
	c[3].Weight = 3
	var count [4]int
	for i := range keys {
		count[HashURL().Choose(c, urlKey(i))]++
	}
	for i, n := range count {
		want := float64(keys*c[i].Weight) / 6
		if math.Abs(float64(n)-want) > want/10 {
			t.Errorf("node %d of weight %d got %d of %d, want about %.0f", i, c[i].Weight, n, keys, want)
		}
	}
}

// When a node goes, only its own clips move, and they come back with it; the order of the nodes does not matter.
func TestHashMovesLittle(t *testing.T) {
	const keys = 5000
	all := many(10)
	without := slices.Delete(slices.Clone(all), 4, 5)
	reversed := slices.Clone(all)
	slices.Reverse(reversed)
	moved := 0
	for i := range keys {
		k := urlKey(i)
		before, after := all[HashURL().Choose(all, k)].Name, without[HashURL().Choose(without, k)].Name
		if before == "n4" {
			moved++
		} else if before != after {
			t.Fatalf("%s moved from %s to %s though both are there", k.URL, before, after)
		}
		if other := reversed[HashURL().Choose(reversed, k)].Name; other != before {
			t.Fatalf("%s: %s or %s, by the order of the nodes", k.URL, before, other)
		}
	}
	if moved < keys/10-150 || moved > keys/10+150 {
		t.Errorf("%d of %d moved, want about a tenth", moved, keys)
	}
}

// A heavier node takes from the others; nothing moves between those.
func TestHashWeightMovesLittle(t *testing.T) {
	before, after := many(5), many(5)
	after[2].Weight = 2
	for i := range 5000 {
		a, b := HashURL().Choose(before, urlKey(i)), HashURL().Choose(after, urlKey(i))
		if a != b && b != 2 {
			t.Fatalf("%s moved from %d to %d", urlKey(i).URL, a, b)
		}
	}
}

func TestHashClient(t *testing.T) {
	c, h := many(50), HashClient()
	key := func(addr, url string) Key { return Key{Client: netip.MustParseAddr(addr), URL: url} }
	want := h.Choose(c, key("192.0.2.7", "rtsp://a/x"))
	if got := h.Choose(c, key("::ffff:192.0.2.7", "rtsp://b/y")); got != want {
		t.Errorf("one client went to %d and %d", want, got)
	}
	if a, b := h.Choose(c, key("fe80::1%eth0", "")), h.Choose(c, key("fe80::1", "")); a != b {
		t.Errorf("one client went to %d and %d by its zone", a, b)
	}
	seen := make(map[int]bool)
	addr := netip.MustParseAddr("198.51.100.0")
	for range 250 {
		seen[h.Choose(c, Key{Client: addr})] = true
		addr = addr.Next()
	}
	if len(seen) < 40 {
		t.Errorf("250 neighbours use %d of 50 nodes", len(seen))
	}
	h.Choose(c, Key{}) // a client that nobody knows is one client
}

// scripted draws the given tickets in turn.
func scripted(tickets ...int) *randomTwo {
	return &randomTwo{intN: func(n int) int {
		x := tickets[0]
		tickets = tickets[1:]
		if x >= n {
			panic(fmt.Sprintf("ticket %d of %d", x, n))
		}
		return x
	}}
}

func TestRandomTwo(t *testing.T) {
	for _, tc := range []struct {
		name     string
		weights  []int
		sessions []int
		tickets  []int
		want     int
	}{
		{"the emptier", []int{1, 1, 1}, []int{5, 2, 0}, []int{0, 0}, 1},
		{"the emptier, drawn first", []int{1, 1, 1}, []int{5, 2, 0}, []int{1, 0}, 1},
		{"the emptiest was not drawn", []int{1, 1, 1}, []int{3, 4, 0}, []int{0, 0}, 0},
		{"equal: the first drawn", []int{1, 1, 1}, []int{2, 2, 2}, []int{2, 1}, 2},
		{"weights count", []int{1, 3, 1}, []int{2, 5, 0}, []int{0, 2}, 1},
		{"heavy ones are drawn more", []int{1, 3, 1}, []int{0, 0, 0}, []int{3, 0}, 1},
		{"the second is never the first", []int{1, 3, 1}, []int{9, 9, 9}, []int{2, 1}, 1},
		{"one node", []int{2}, []int{7}, []int{1}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := many(len(tc.weights))
			for i := range c {
				c[i].Weight, c[i].Sessions = tc.weights[i], tc.sessions[i]
			}
			if got := scripted(tc.tickets...).Choose(c, Key{}); got != tc.want {
				t.Errorf("chose %d, want %d", got, tc.want)
			}
		})
	}
}

// With real chance it spreads well: far better than one draw would.
func TestRandomTwoSpreads(t *testing.T) {
	p := newPool(t, Config{Policy: RandomTwo()})
	for range 300 {
		acquire(t, p, Key{Service: "rtsp"})
	}
	for _, s := range p.Snapshot() {
		if s.Sessions < 90 || s.Sessions > 110 {
			t.Errorf("%s holds %d of 300", s.Node.Name, s.Sessions)
		}
	}
}
