package player_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mediagate/internal/asf"
	"mediagate/internal/player"
	"mediagate/mms/mmswire"
)

func TestPlayMMS(t *testing.T) {
	type want struct {
		transport                        string
		packets, lost, resent, late, dup uint64
	}
	for _, c := range []struct {
		name, address, scheme, user string
		script                      script
		opts                        player.Options
		want                        want
	}{
		{"tcp", "127.0.0.120", "mmst", "", script{ping: true}, player.Options{}, want{"tcp", 40, 0, 0, 0, 0}},
		{"tcp, packet pair", "127.0.0.120", "mmst", "", script{}, player.Options{PacketPair: true}, want{"tcp", 40, 0, 0, 0, 0}},
		{"udp", "127.0.0.121", "mmsu", "", script{}, player.Options{PacketPair: true, ClientPort: 21300}, want{"udp", 40, 0, 0, 0, 0}},
		{"udp or tcp", "127.0.0.121", "mms", "", script{}, player.Options{Resend: true}, want{"udp", 40, 0, 0, 0, 0}},
		{
			"header lost", "127.0.0.121", "mmsu", "", script{loseHeader: []int{0, 3}},
			player.Options{}, want{"udp", 40, 0, 0, 0, 0},
		},
		{
			"packets lost and resent", "127.0.0.122", "mmsu", "", script{lose: []int{0, 3, 4, 5, 20, 39}},
			player.Options{Resend: true}, want{"udp", 40, 0, 6, 0, 0},
		},
		{
			"sequence numbers turn over", "127.0.0.122", "mmsu", "", script{first: 240, lose: []int{10, 15, 16, 17, 38}},
			player.Options{Resend: true}, want{"udp", 40, 0, 5, 0, 0},
		},
		{"packets lost", "127.0.0.122", "mmsu", "", script{lose: []int{0, 3, 39}}, player.Options{}, want{"udp", 37, 3, 0, 0, 0}},
		{
			"packets late", "127.0.0.123", "mmsu", "", script{late: []int{0, 7, 8}},
			player.Options{}, want{"udp", 40, 0, 0, 3, 0},
		},
		{
			"udp refused", "127.0.0.123", "mms", "", script{refuse: map[bool]uint32{true: 0x80004005}},
			player.Options{PacketPair: true, Resend: true}, want{"tcp", 40, 0, 0, 0, 0},
		},
		{
			"credentials", "127.0.0.124", "mmst", "alice:secret@", script{challenge: []byte("r\x00e\x00\x00\x00")},
			player.Options{}, want{"tcp", 40, 0, 0, 0, 0},
		},
		{"playlist over tcp", "127.0.0.124", "mmst", "", script{entries: 3}, player.Options{}, want{"tcp", 120, 0, 0, 0, 0}},
		{
			"playlist over udp", "127.0.0.125", "mmsu", "", script{entries: 2, lose: []int{12, 39}},
			player.Options{Resend: true}, want{"udp", 80, 0, 4, 0, 0},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer within(t, 10*time.Second)()
			x := serve(t, c.address, c.script)
			var file memory
			c.opts.URL = c.scheme + "://" + c.user + x.at().String() + "/media/a%20b.wmv?x=1"
			c.opts.Output = &file
			r := play(t, c.opts)
			got := want{r.Transport, r.Packets, r.Lost, r.Resent, r.Late, r.Duplicate}
			if got != c.want || !r.EndOfStream || r.Streams != 2 || r.Session != "00c11e47" {
				t.Errorf("got %+v, want %+v; report %+v", got, c.want, r)
			}
			if udp := c.want.transport == "udp"; udp && (len(r.MediaSources) != 1 || r.MediaSources[0] != x.at()) || !udp && r.MediaSources != nil {
				t.Errorf("media from %v", r.MediaSources)
			}
			checkMessages(t, x, c.opts)
			if c.want.lost > 0 {
				return
			}
			f, err := asf.Parse(file.b)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(f.Packets, x.file.Packets, bytes.Equal) || f.PacketCount != 40 {
				t.Errorf("%d packets in the file, which says %d, are not those of the origin", len(f.Packets), f.PacketCount)
			}
		})
	}
}

// checkMessages looks at what all players must have sent.
func checkMessages(t *testing.T, x *scripted, o player.Options) {
	t.Helper()
	pair := uint32(mmswire.DisablePacketPair)
	if o.PacketPair {
		pair = mmswire.UsePacketPair
	}
	s := mmswire.ParseSubscriber(told[*mmswire.Connect](x)[0].SubscriberName)
	if s.Product() != "NSPlayer/9.0.0.2833" || s.Host() != x.at().String() || told[*mmswire.Connect](x)[0].PlayIncarnation != pair {
		t.Errorf("connect: %q", s)
	}
	if name := told[*mmswire.OpenFile](x)[0].FileName; name != "media/a b.wmv?x=1" {
		t.Errorf("asked for %q", name)
	}
	if len(told[*mmswire.CloseFile](x)) != 1 || len(told[*mmswire.Logging](x)) != max(x.entries, 1) {
		t.Error("file not closed, or not one log for each entry")
	}
	if x.ping && len(told[*mmswire.Pong](x)) != 1 {
		t.Error("ping not answered")
	}
	if lost := len(x.loseHeader) > 0; lost != (len(told[*mmswire.CancelReadBlock](x)) == 1) {
		t.Errorf("header asked for %d times", len(told[*mmswire.ReadBlock](x)))
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if o.ClientPort != 0 && x.to.Port() != o.ClientPort {
		t.Errorf("media port %d", x.to.Port())
	}
}

func TestLogMMS(t *testing.T) {
	x := serve(t, "127.0.0.126", script{lose: []int{3, 4, 5, 20}})
	play(t, player.Options{URL: "mmsu://alice:secret@" + x.at().String() + "/a.wmv", Resend: true, Start: 1500 * time.Millisecond})
	if p := told[*mmswire.StartPlaying](x)[0].Position; p != 1.5 {
		t.Errorf("played from %v s", p)
	}
	l, err := mmswire.ParseClientLog(told[*mmswire.Logging](x)[0].Log)
	if err != nil {
		t.Fatal(err)
	}
	var payload uint64
	for _, p := range x.file.Packets {
		payload += uint64(len(p))
	}
	type numbers struct {
		url, transport                                              string
		received, lost, lostNet, lostCont, asked, recovered, resent uint32
		bytes                                                       uint64
		start, quality                                              uint32
	}
	i := l.Info
	got := numbers{
		i.URL, l.Transport, i.PacketsReceived, i.PacketsLostClient, l.PacketsLostNet, l.PacketsLostContNet, min(l.ResendRequests, 4),
		l.PacketsRecoveredResent, l.PacketsResent, i.BytesReceived, i.StartTime, i.MinReceptionQuality,
	}
	want := numbers{"mms://" + x.at().String() + "/a.wmv", "UDP", 40, 0, 4, 3, 4, 4, 4, payload, 1500, 100}
	if got != want || i.VideoCodec == "" || i.AudioCodec == "" || l.SourceID != 1 {
		t.Errorf("got  %+v\nwant %+v\nall  %+v", got, want, l)
	}
}

func TestRedirectMMS(t *testing.T) {
	to := serve(t, "127.0.0.126", script{})
	for _, c := range []struct {
		name string
		r    mmswire.ReportRedirect
		open string // the path asked for at the end, empty: an error
	}{
		{"another url", mmswire.ReportRedirect{RedirectType: 1, Location: "mmst://" + to.at().String() + "/100% b.wmv"}, "100% b.wmv"},
		{"a proxy", mmswire.ReportRedirect{RedirectType: 2, Location: "mms://" + to.at().String()}, "a.wmv"},
		{"not mms", mmswire.ReportRedirect{RedirectType: 1, Location: "http://" + to.at().String() + "/b.wmv"}, ""},
		{"no host", mmswire.ReportRedirect{RedirectType: 1, Location: "mms:///b.wmv"}, ""},
		{"for ever", mmswire.ReportRedirect{RedirectType: 2}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := serve(t, "127.0.0.127", script{redirect: &c.r})
			r, err := player.Play(t.Context(), player.Options{URL: "mmst://" + x.at().String() + "/a.wmv"})
			if (err == nil) != (c.open != "") {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				return
			}
			files := told[*mmswire.OpenFile](to)
			connects := told[*mmswire.Connect](to)
			s := mmswire.ParseSubscriber(connects[len(connects)-1].SubscriberName)
			host := s.Host()
			proxied := c.r.RedirectType == 2
			if got := files[len(files)-1].FileName; got != c.open || r.Packets != 40 || proxied != (host == x.at().String()) {
				t.Errorf("file %q of host %s, report %+v", got, host, r)
			}
		})
	}
}

func TestPlayMMSFails(t *testing.T) {
	both := map[bool]uint32{true: 0x80004005, false: 0x80004005}
	for _, c := range []struct {
		name, scheme, user string
		script             script
		is                 error
		text               string
		packets            uint64
	}{
		{"no such file", "mms", "", script{openResult: 0xc00d001a}, nil, "0xc00d001a (there is no such file)", 0},
		{"udp refused", "mmsu", "", script{refuse: both}, player.ErrTransport, "0x80004005", 0},
		{"all refused", "mms", "", script{refuse: both}, player.ErrTransport, "", 0},
		{"no name", "mmst", "", script{challenge: []byte("r\x00\x00\x00")}, nil, "asks for a name", 0},
		{"wrong password", "mmst", "alice:wrong@", script{challenge: []byte("r\x00\x00\x00")}, nil, "refused", 0},
		{"ntlm", "mmst", "alice:secret@", script{challenge: []byte{0, 0}}, nil, "NTLM", 0},
		{"breaks off", "mmst", "", script{breakAt: 17}, nil, "read: EOF", 17},
		{"breaks off over udp", "mmsu", "", script{breakAt: 17}, nil, "read: EOF", 17},
		{"ends with an error", "mmst", "", script{endResult: 0x80004005}, nil, "0x80004005", 40},
		{"no header", "mmsu", "", script{deaf: true}, player.ErrNoMedia, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := serve(t, "127.0.0.128", c.script)
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			r, err := player.Play(ctx, player.Options{URL: c.scheme + "://" + c.user + x.at().String() + "/a.wmv"})
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v", err)
			}
			overtaken := c.scheme == "mmsu" // by the end of the connection
			if r.Packets > c.packets || r.Packets < c.packets && !overtaken || r.EndOfStream {
				t.Errorf("report %+v", r)
			}
		})
	}
}
