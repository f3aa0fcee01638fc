package transparent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Numbers of linux/netfilter/nfnetlink_log.h.
const (
	nflogPacket     = unix.NFNL_SUBSYS_ULOG << 8
	nflogConfigure  = unix.NFNL_SUBSYS_ULOG<<8 | 1
	nflogBind       = 1 // NFULNL_CFG_CMD_BIND
	nflogCmd        = 1 // NFULA_CFG_CMD
	nflogMode       = 2 // NFULA_CFG_MODE
	nflogCopyPacket = 2 // NFULNL_COPY_PACKET
	nflogInterface  = 4 // NFULA_IFINDEX_INDEV
	nflogPayload    = 9 // NFULA_PAYLOAD
	nflogPrefix     = 10
)

// Watcher tells what was refused.
type Watcher struct {
	conn *netlink.Conn
	wg   sync.WaitGroup
}

// Watch binds the NFLOG group of a spec in the network namespace of the calling thread and calls tell for each refused
// packet that the rules copy to it, one at a time, from a goroutine that ends before Close returns. A group that another
// process has is an error (EBUSY), and so is a kernel without NFLOG (ErrUnsupported); the counters work without it.
func Watch(group uint16, tell func(Refusal)) (*Watcher, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, explain("transparent: watch", err)
	}
	mode := binary.BigEndian.AppendUint32(nil, snap)
	mode = append(mode, nflogCopyPacket, 0)
	for _, a := range []netlink.Attribute{{Type: nflogCmd, Data: []byte{nflogBind}}, {Type: nflogMode, Data: mode}} {
		if err := configure(conn, group, a); err != nil {
			_ = conn.Close()
			return nil, explain(fmt.Sprintf("transparent: watch: NFLOG group %d", group), busy(err))
		}
	}
	w := &Watcher{conn: conn}
	w.wg.Go(func() { w.run(tell) })
	return w, nil
}

// busy makes of the kernel's EPERM, its answer to all but the first reader of a group, what it is.
func busy(err error) error {
	if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EPERM) && Capable() {
		return fmt.Errorf("another program reads it: choose another in transparent.log_group: %w", unix.EBUSY)
	}
	return err
}

func configure(conn *netlink.Conn, group uint16, a netlink.Attribute) error {
	attributes, err := netlink.MarshalAttributes([]netlink.Attribute{a})
	if err != nil {
		return err
	}
	head := binary.BigEndian.AppendUint16([]byte{unix.AF_UNSPEC, unix.NFNETLINK_V0}, group)
	_, err = conn.Execute(netlink.Message{
		Header: netlink.Header{Type: nflogConfigure, Flags: netlink.Request | netlink.Acknowledge},
		Data:   append(head, attributes...),
	})
	return err
}

func (w *Watcher) run(tell func(Refusal)) {
	for {
		messages, err := w.conn.Receive()
		if errors.Is(err, unix.ENOBUFS) {
			continue // more came than was read; the counters have them
		}
		if err != nil {
			return // closed
		}
		for _, m := range messages {
			if m.Header.Type != nflogPacket || len(m.Data) < 4 {
				continue
			}
			if r, ok := refusal(m.Data[4:]); ok {
				tell(r)
			}
		}
	}
}

// Close ends the watch.
func (w *Watcher) Close() error {
	err := w.conn.Close()
	w.wg.Wait()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// refusal reads the attributes of a copied packet.
func refusal(b []byte) (Refusal, bool) {
	attributes, err := netlink.UnmarshalAttributes(b)
	if err != nil {
		return Refusal{}, false
	}
	var r Refusal
	known := false
	for _, a := range attributes {
		switch a.Type {
		case nflogPrefix:
			r.Reason = strings.TrimRight(string(a.Data), "\x00")
		case nflogInterface:
			if len(a.Data) == 4 {
				r.Interface = int(binary.BigEndian.Uint32(a.Data))
			}
		case nflogPayload:
			known = r.read(a.Data)
		}
	}
	return r, known
}

// read takes addresses, protocol and ports out of the beginning of a packet (RFC 791, section 3.1; RFC 8200, section 3).
// Behind an extension header of IPv6 the ports are not looked for.
func (r *Refusal) read(p []byte) bool {
	var from, to netip.Addr
	switch {
	case len(p) >= 20 && p[0]>>4 == 4:
		from, to = netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20]))
		r.Protocol, p = p[9], p[min(len(p), int(p[0]&15)*4):]
	case len(p) >= 40 && p[0]>>4 == 6:
		from, to = netip.AddrFrom16([16]byte(p[8:24])), netip.AddrFrom16([16]byte(p[24:40]))
		r.Protocol, p = p[6], p[40:]
	default:
		return false
	}
	var fromPort, toPort uint16
	if (r.Protocol == unix.IPPROTO_TCP || r.Protocol == unix.IPPROTO_UDP) && len(p) >= 4 {
		fromPort, toPort = binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:])
	}
	r.From, r.To = netip.AddrPortFrom(from, fromPort), netip.AddrPortFrom(to, toPort)
	return true
}
