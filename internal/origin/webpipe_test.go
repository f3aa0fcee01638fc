package origin

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHTTPPipelined sends requests on the connection that media come on.
func TestHTTPPipelined(t *testing.T) {
	s := serveWeb(t, "127.0.0.46", Config{Speed: 1})
	c := dialWeb(t, s)
	id := clientID(t, first2(c.whole(getSample, pipelined)))
	r := c.ask(getSample, pipelined, playField, idField(id), bothField)
	if diff := cmp.Diff([]string{"chunked"}, r.TransferEncoding); diff != "" || r.Proto != "HTTP/1.1" {
		t.Fatalf("%s %s", r.Proto, diff)
	}
	mustFrame(t, r.Body, frameHeader)
	one := mustFrame(t, r.Body, frameData)
	// These wait for the end of the answer, the third one brings it.
	c.send("OPTIONS * HTTP/1.1", idField(id))
	c.send(postSample, idField(id), "Content-Type: application/x-wms-LogStats;charset=UTF-8", "Content-Length: 0")
	c.send(getSample, pipelined, idField(id), "Pragma: stream-switch-count=1", "Pragma: stream-switch-entry=2:2:2")
	kinds, frames := shape(t, r.Body)
	if strings.Trim(kinds, "D") != "" {
		t.Errorf("%s", kinds)
	}
	if r = c.read("OPTIONS"); r.StatusCode != 200 || r.Header.Get("Public") == "" {
		t.Errorf("keep alive: %s", r.Status)
	}
	if r = c.read("POST"); r.StatusCode != 204 {
		t.Errorf("log: %s", r.Status)
	}
	r = c.read("GET")
	next := mustFrame(t, r.Body, frameData)
	if want := one.location + uint32(len(frames)) + 1; next.location < want {
		t.Errorf("goes on with packet %d, want %d or later", next.location, want)
	}
	c.send(postSample, idField(id), "Pragma: xStopStrm=1", "Content-Length: 0")
	shape(t, r.Body)
	if r, _ := read2(c, "POST"); r.StatusCode != 200 || clientID(t, r) != id {
		t.Errorf("stop: %s", r.Status)
	}
	// Idle, it keeps the session and the connection.
	if r, _ := c.whole(postSample, idField(id), "Pragma: xKeepAliveInPause=1", "Content-Length: 0"); r.StatusCode != 200 {
		t.Errorf("keep alive: %s", r.Status)
	}
	r = c.ask(getSample, pipelined, playField, idField(id), bothField, "Pragma: packet-num=100000", "Pragma: stream-time=0")
	if kinds, _ := shape(t, r.Body); kinds != "HE" {
		t.Errorf("play after stop: %s", kinds)
	}
	if r, _ := c.whole(getSample, pipelined, idField(id)); r.StatusCode != 200 {
		t.Errorf("describe after the end: %s", r.Status)
	}
}

func first2(r *http.Response, _ []byte) *http.Response { return r }

func read2(c *webClient, method string) (*http.Response, []byte) {
	r := c.read(method)
	b, _ := io.ReadAll(r.Body) // of an answer whose fields are looked at
	return r, b
}

// TestHTTPPipelineTest sends the two requests in time, and too late.
func TestHTTPPipelineTest(t *testing.T) {
	s := serveWeb(t, "127.0.0.47", Config{})
	for _, x := range []struct {
		name   string
		result string
	}{{"in time", "1"}, {"late", "0"}} {
		t.Run(x.name, func(t *testing.T) {
			c := dialWeb(t, s)
			id := clientID(t, first2(c.whole(getSample)))
			r := c.ask(getSample, "Pragma: pipeline-request=1", idField(id))
			if f := mustFrame(t, r.Body, frameTest); len(f.payload) > 0 || len(r.TransferEncoding) == 0 {
				t.Errorf("%+v %v", f, r.TransferEncoding)
			}
			if x.result == "0" {
				shape(t, r.Body) // its end comes when the time is up
			}
			c.send(getSample, "Pragma: pipeline-request=1", idField(id))
			if x.result == "1" {
				shape(t, r.Body)
			}
			if r = c.read("GET"); r.StatusCode != 204 || parsePragma(r.Header["Pragma"])["pipeline-result"] != x.result {
				t.Errorf("%s %v", r.Status, r.Header)
			}
		})
	}
}

// TestHTTPSelectStream turns a stream off from another connection.
func TestHTTPSelectStream(t *testing.T) {
	s := serveWeb(t, "127.0.0.48", Config{Speed: 2})
	f, err := s.library.open("sample.wmv")
	if err != nil {
		t.Fatal(err)
	}
	r := dialWeb(t, s).ask(getSample, playField, bothField)
	mustFrame(t, r.Body, frameHeader)
	mustFrame(t, r.Body, frameData)
	c := dialWeb(t, s)
	entry := fmt.Sprintf("Pragma: stream-switch-entry=%x:ffff:0 zz 1:2 1:2:3:4", f.Streams[1].Number)
	if a, _ := c.whole(postSample, idField(clientID(t, r)), entry, "Content-Length: 0"); a.StatusCode != 200 {
		t.Fatal(a.Status)
	}
	_, frames := shape(t, r.Body)
	last := frames[len(frames)-2]
	if last.kind != frameData || len(last.payload) == f.PacketSize {
		t.Errorf("last packet $%c of %d bytes has both streams", last.kind, len(last.payload))
	}
	r = dialWeb(t, s).ask(getSample, playField, "Pragma: stream-switch-entry=ffff:1:2 ffff:2:2")
	if kinds, _ := shape(t, r.Body); kinds != "HE" {
		t.Errorf("nothing selected: %s", kinds)
	}
	r = dialWeb(t, s).ask(getSample, playField)
	if kinds, _ := shape(t, r.Body); kinds != "HDE" {
		t.Errorf("nothing said: %s", kinds)
	}
}
