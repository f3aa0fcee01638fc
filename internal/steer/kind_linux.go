package steer

import (
	"encoding/binary"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// linkKind is what sort of virtual interface one is (IFLA_INFO_KIND: bridge, vlan, veth), "" of a card and of what the kernel does not
// tell.
func linkKind(index int) string {
	dump, err := syscall.NetlinkRIB(unix.RTM_GETLINK, unix.AF_UNSPEC)
	if err != nil {
		return ""
	}
	messages, err := syscall.ParseNetlinkMessage(dump)
	if err != nil {
		return ""
	}
	for _, m := range messages {
		if m.Header.Type != unix.RTM_NEWLINK || len(m.Data) < unix.SizeofIfInfomsg ||
			int32(binary.NativeEndian.Uint32(m.Data[4:])) != int32(index) {
			continue
		}
		info := attribute(m.Data[unix.SizeofIfInfomsg:], unix.IFLA_LINKINFO)
		return strings.TrimRight(string(attribute(info, unix.IFLA_INFO_KIND)), "\x00")
	}
	return ""
}

// attribute is the value of the first attribute of a kind (netlink(7), struct rtattr); nil if there is none.
func attribute(b []byte, kind uint16) []byte {
	for len(b) >= unix.SizeofRtAttr {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofRtAttr || n > len(b) {
			break
		}
		if binary.NativeEndian.Uint16(b[2:]) == kind {
			return b[unix.SizeofRtAttr:n]
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return nil
}
