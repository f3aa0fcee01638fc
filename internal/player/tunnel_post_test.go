package player

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// sink is a POST that takes everything.
type sink struct {
	net.Conn
	b      *bytes.Buffer
	closed bool
}

func (s *sink) Write(b []byte) (int, error)      { return s.b.Write(b) }
func (s *sink) SetWriteDeadline(time.Time) error { return nil }
func (s *sink) Close() error                     { s.closed = true; return nil }

// TestTunnelPosts holds that no POST gets more than it has promised, and that nothing is lost between two.
func TestTunnelPosts(t *testing.T) {
	var posts []*sink
	tn := &tunnel{}
	tn.open = func() (net.Conn, error) {
		posts = append(posts, &sink{b: &bytes.Buffer{}})
		return posts[len(posts)-1], nil
	}
	tn.post, tn.left = &sink{b: &bytes.Buffer{}}, postLength
	posts = append(posts, tn.post.(*sink))
	var want []byte
	for n := range 400 {
		b := []byte(strings.Repeat("x", n) + "\n")
		if n == 200 {
			b = bytes.Repeat(b, 500) // more than a POST holds
		}
		want = append(want, b...)
		if k, err := tn.Write(b); k != len(b) || err != nil {
			t.Fatalf("%d of %d bytes, error %v", k, len(b), err)
		}
	}
	var got []byte
	for i, p := range posts {
		if n := p.b.Len(); n > postLength || p.closed == (i == len(posts)-1) {
			t.Errorf("POST %d of %d has %d bytes, closed %v", i, len(posts), n, p.closed)
		}
		for text := p.b.String(); text != ""; text = text[4:] {
			b, err := base64.StdEncoding.DecodeString(text[:4])
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, b...)
		}
	}
	if !bytes.Equal(got, want) || len(posts) < 5 {
		t.Errorf("%d bytes of %d in %d POSTs", len(got), len(want), len(posts))
	}
	full := errors.New("no more")
	tn.open = func() (net.Conn, error) { return nil, full }
	if _, err := tn.Write(make([]byte, 2*postLength)); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	tn.closed = true
	if _, err := tn.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
