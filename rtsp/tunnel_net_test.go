package rtsp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mediagate/balancer"
	"mediagate/internal/sessionlog"
	"mediagate/rtsp/rtspwire"
	"mediagate/udprelay"
)

// testCertificate is one that nobody has signed.
func testCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// netOrigin answers RTSP at a loopback address.
func netOrigin(t *testing.T, addr string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				read := rtspwire.NewReader(conn, rtspwire.Limits{})
				for {
					item, err := read.Read()
					req, ok := item.(*rtspwire.Request)
					if err != nil || !ok {
						return
					}
					_, _ = conn.Write(crlf("RTSP/1.0 200 OK\nCSeq: " + req.Header.Get("CSeq")))
				}
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return netip.MustParseAddrPort(l.Addr().String())
}

// TestTunnelOverTheNetwork: over TCP and over TLS, with a POST that is closed and opened again.
func TestTunnelOverTheNetwork(t *testing.T) {
	cert := testCertificate(t)
	for i, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", secure), func(t *testing.T) {
			origin := netOrigin(t, fmt.Sprintf("127.0.0.%d:0", 142+i))
			pool, err := balancer.New(balancer.Config{Name: "p", Policy: balancer.RoundRobin(), Nodes: []balancer.Node{
				{Name: "n", Addr: origin.Addr(), Ports: map[string]uint16{Service: origin.Port()}}}})
			if err != nil {
				t.Fatal(err)
			}
			relay, err := udprelay.New(udprelay.Config{ClientPorts: udprelay.PortRange{Lo: 5004, Hi: 5005}, OriginPorts: udprelay.PortRange{Lo: 20000, Hi: 20001}})
			if err != nil {
				t.Fatal(err)
			}
			defer relay.Close()
			records := make(chan *sessionlog.Record, 10)
			proxy, err := New(Config{Pool: pool, Relay: relay, Record: func(r *sessionlog.Record) { records <- r }})
			if err != nil {
				t.Fatal(err)
			}
			defer proxy.Close()
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.%d:0", 140+i))
			if err != nil {
				t.Fatal(err)
			}
			if secure {
				l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})
			}
			served := make(chan error, 1)
			go func() { served <- proxy.Serve(l) }()
			tunnelOverTheNetwork(t, l.Addr().String(), secure, records)
			proxy.Close()
			if err := <-served; !errors.Is(err, ErrProxyClosed) {
				t.Error(err)
			}
		})
	}
}

func tunnelOverTheNetwork(t *testing.T, addr string, secure bool, records <-chan *sessionlog.Record) {
	dial := func() net.Conn {
		t.Helper()
		var conn net.Conn
		var err error
		if secure {
			conn, err = tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		} else {
			conn, err = net.Dial("tcp", addr)
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		return conn
	}
	get := dial()
	defer get.Close()
	_, _ = get.Write(crlf(fmt.Sprintf(getHead, "c1")))
	buf := make([]byte, 4096)
	n, err := get.Read(buf)
	if err != nil || string(buf[:n]) != tunnelAnswer {
		t.Fatalf("%q %v", buf[:n], err)
	}
	read := rtspwire.NewReader(get, rtspwire.Limits{})
	for i := range 3 {
		post := dial()
		request := b64(crlf(fmt.Sprintf("OPTIONS rtsp://gw.test/a RTSP/1.0\nCSeq: %d", i)))
		_, _ = post.Write(append(crlf(fmt.Sprintf(postHead, "c1")), request...))
		item, err := read.Read()
		if resp, ok := item.(*rtspwire.Response); err != nil || !ok || resp.Status != 200 || resp.Header.Get("CSeq") != fmt.Sprint(i) {
			t.Fatalf("%v %v", item, err)
		}
		post.Close()
	}
	get.Close()
	select {
	case r := <-records:
		if r.End.Who != 'C' || r.Requests != 3 || !strings.HasPrefix(r.Why, "the player closed") {
			t.Errorf("%s %s, %d requests", r.End, r.Why, r.Requests)
		}
	case <-time.After(10 * time.Second):
		t.Error("no record")
	}
}
