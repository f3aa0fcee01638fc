package mms

import (
	"net/netip"
	"strings"

	"go.uber.org/zap"

	"mediagate/balancer"
	"mediagate/mms/mmswire"
)

// maxHops bounds the redirects followed for one session.
const maxHops = 3

// defaultPort is MMS's ([MS-MMSP] 1.9).
const defaultPort = 1755

// toAnotherURL is the RedirectType of a new place for the content; the other one names a proxy ([MS-MMSP] 2.2.4.9).
const toAnotherURL = 1

// onRedirect goes to the node that the origin names: no Linux player follows a redirect, and none shall learn a node's
// address. It says whether that was all; else the redirect passes, since it leads by name to a place that is not ours.
func (s *session) onRedirect(asked request, t *mmswire.ReportRedirect) bool {
	if asked.mid == 0 {
		asked.mid = mmswire.MIDOpenFile
	}
	node, path, err := s.placeOf(t)
	if err != nil {
		s.log.Warn("redirect not followed", zap.Error(err))
		s.refuse(asked, err)
		return true
	}
	if node == "" {
		return false
	}
	if s.hops++; s.hops > maxHops {
		s.refuse(asked, errHops)
		return true
	}
	s.log.Info("redirect followed", zap.String("node", node), zap.String("path", path))
	file := *s.said.file
	file.FileName, file.Rest = path, nil
	s.said.file = &file
	s.dropOrigin()
	s.prefer = node
	s.pending = append(s.pending, asked)
	if err := s.reach(); err != nil {
		s.giveUp(err)
	}
	return true
}

// placeOf reads where a redirect leads: to a node of the pool and a path there, or (node "") to a host that is known by
// name only. An address that is no node's is one that a player may not be able to reach and need not know.
func (s *session) placeOf(t *mmswire.ReportRedirect) (node, path string, err error) {
	scheme, rest, ok := strings.Cut(t.Location, "://")
	if t.RedirectType != toAnotherURL || !ok || !isMMS(scheme) || s.said.file == nil {
		return "", "", errElsewhere
	}
	authority, path, _ := strings.Cut(rest, "/")
	addr, port := splitAuthority(authority)
	switch {
	case addr.IsValid():
	case isName(authority):
		return "", "", nil
	default:
		return "", "", errElsewhere
	}
	if n, ok := nodeAt(s.pool, netip.AddrPortFrom(addr, port)); ok {
		return n.Name, path, nil
	}
	return "", "", errElsewhere
}

func isMMS(scheme string) bool {
	switch strings.ToLower(scheme) {
	case "mms", "mmsu", "mmst": // [MS-MMSP] 2.2.4.9
		return true
	}
	return false
}

// splitAuthority reads a host that is an address, with or without port; the address is not valid for anything else.
func splitAuthority(authority string) (netip.Addr, uint16) {
	if at, err := netip.ParseAddrPort(authority); err == nil {
		return at.Addr().Unmap(), at.Port()
	}
	addr, err := netip.ParseAddr(strings.Trim(authority, "[]"))
	if err != nil {
		return netip.Addr{}, 0
	}
	return addr.Unmap(), defaultPort
}

// isName says that an authority is a host name, with or without port, and nothing that some player might take for an
// address: "198.51.100.2.", "3325256706" and "0xc6336402" are such (inet_aton), and what stands before "@" or after "?"
// would hide one.
func isName(authority string) bool {
	host, port, _ := strings.Cut(authority, ":")
	if strings.Trim(port, "0123456789") != "" {
		return false
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	for _, l := range labels {
		if l == "" || strings.ContainsFunc(l, func(r rune) bool { return !isNameRune(r) }) {
			return false
		}
	}
	last := labels[len(labels)-1]
	return last[0] < '0' || last[0] > '9' // no top level domain begins with a digit
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}

// nodeAt finds a node by its MMS address; of an address without that port the first node.
func nodeAt(pool *balancer.Pool, at netip.AddrPort) (balancer.Node, bool) {
	for _, n := range pool.Snapshot() {
		if n.Node.AddrPort(Service) == at {
			return n.Node, true
		}
	}
	return pool.Node(at.Addr())
}
