package mms

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"mediagate/mms/mmswire"
)

// TestHeaderWaits: datagrams of the header that are faster than ReportReadBlock come to the player after it, and half a
// second later where none comes. VLC with mmsu gives up if the header is there first.
func TestHeaderWaits(t *testing.T) {
	for _, answered := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			defer w.close()
			w.part(t, "udp-open")
			w.do(t, "C>> ReadBlock")
			header := mmswire.AppendData(nil, mmswire.Data{PlayIncarnation: 2, AFFlags: headerLast, Payload: []byte("header")})
			if err := w.udp.deliver(20000, netip.MustParseAddrPort("198.51.100.1:5004"), header); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if way := w.udp.sent(header); way != "" {
				t.Errorf("the header went %s before ReportReadBlock", way)
			}
			if answered {
				w.do(t, "O>> ReportReadBlock")
			} else {
				time.Sleep(time.Second)
			}
			synctest.Wait()
			if way := w.udp.sent(header); way != "5004 > 203.0.113.9:7000" {
				t.Errorf("answered %v: the header went %q", answered, way)
			}
		})
	}
}

// headerLast is AFFlags of a header in one piece ([MS-MMSP] 2.2.2).
const headerLast = 0x0c
