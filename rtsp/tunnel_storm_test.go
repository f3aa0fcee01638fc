package rtsp

import (
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mediagate/internal/sessionlog"
)

// heapInUse is what lives now.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools held goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestManyHalfTunnels: of 10,000 halves of tunnels that nobody completes a quarter of limits.connections waits, the others are
// refused at once. Each that waits holds a bounded amount, and all are gone when their time is over.
func TestManyHalfTunnels(t *testing.T) {
	const halves, limit = 10_000, 20_000
	for name, head := range map[string]string{
		"GET":  "GET /a HTTP/1.0\r\nx-sessioncookie: %020d\r\nAccept: application/x-rtsp-tunnelled\r\n\r\n",
		"POST": "POST /a HTTP/1.0\r\nx-sessioncookie: %020d\r\nContent-Type: application/x-rtsp-tunnelled\r\nContent-Length: 32767\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			var records atomic.Int64
			bubble(t, func(t *testing.T, w *world) {
				w.client().conn.Close()
				synctest.Wait()
				before, done := heapInUse(), records.Load()
				ends := make([]*halfConn, halves)
				for i := range ends {
					near, far := duplex()
					from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), uint16(1024+i))
					w.proxy.ServeConn(&namedConn{halfConn: far, local: worldLocal, remote: from})
					go func() {
						_, _ = fmt.Fprintf(near, head, i)
						_, _ = near.Read(make([]byte, 512)) // a refusal, or the answer to a GET
					}()
					ends[i] = near
				}
				time.Sleep(time.Second) // for the refused to read why
				synctest.Wait()
				if n := w.proxy.Sessions(); n > limit/4 || n < limit/4-16 {
					t.Errorf("%d halves wait, want %d", n, limit/4)
				}
				if each := (heapInUse() - before) / halves; each > 32<<10 {
					t.Errorf("%d bytes for each half", each)
				}
				time.Sleep(20 * time.Second)
				synctest.Wait()
				if n, ended := w.proxy.Sessions(), records.Load()-done; n != 0 || ended != halves {
					t.Errorf("%d halves are left, %d have a record", n, ended)
				}
				for _, e := range ends {
					_ = e.Close()
				}
				clear(ends)
				synctest.Wait()
				// Tables that have grown do not shrink; a leak of the halves would be several times this.
				if left := heapInUse() - before; left > 32<<20 {
					t.Errorf("%d bytes are left", left)
				}
			}, func(c *Config) {
				c.Connections = limit
				c.Record = func(*sessionlog.Record) { records.Add(1) }
			})
		})
	}
}
