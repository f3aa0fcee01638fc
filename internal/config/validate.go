package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// problem is a fault before it has a place.
type problem struct{ path, what string }

// checker collects the problems of one configuration.
type checker struct {
	bad      map[string]bool // paths that could not be read: a fault about their default value would mislead
	problems []problem
}

// check returns everything that is wrong with values that were read.
func check(c *Config, bad map[string]bool) []problem {
	k := &checker{bad: bad}
	k.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	k.oneOf("log.format", c.Log.Format, "json", "console")
	k.sessions(c.Sessions)
	k.span("viewers.window", c.Viewers.Window, time.Second, time.Hour)
	k.virtualServers(c)
	k.pools(c)
	k.relay(c)
	k.limits(c.Limits)
	k.timeouts(c.Timeouts)
	k.transparent(c)
	k.capture(c.Capture)
	k.admin(c.Admin, c.VirtualServers)
	return k.problems
}

func (k *checker) sessions(s Sessions) {
	k.printable("sessions.log", s.Log)
	k.printable("sessions.w3c_log", s.W3CLog)
	k.printable("sessions.trace_dir", s.TraceDir)
	if s.Interim != 0 {
		k.span("sessions.interim", s.Interim, time.Second, 24*time.Hour)
	}
	if s.W3CLog != "" && s.W3CLog == s.Log {
		k.say("sessions.w3c_log", "sessions.log goes there already; choose another path")
	}
}

// say notes a problem unless the value, or what holds it, could not be read.
func (k *checker) say(path, format string, args ...any) {
	if k.readable(path) {
		k.problems = append(k.problems, problem{path, fmt.Sprintf(format, args...)})
	}
}

func (k *checker) readable(path string) bool {
	for ; path != ""; path = parent(path) {
		if k.bad[path] {
			return false
		}
	}
	return !k.bad[""]
}

func (k *checker) oneOf(path, got string, known ...string) {
	switch {
	case slices.Contains(known, got):
	case got == "":
		k.say(path, "is missing; choose one of %s", strings.Join(known, ", "))
	default:
		k.say(path, "not known; choose one of %s", strings.Join(known, ", "))
	}
}

// printable refuses what would garble a log line; white space at an end is lost when a person copies the name.
func (k *checker) printable(path, got string) bool {
	const longest = 255
	switch {
	case len(got) > longest:
		k.say(path, "longer than %d bytes; shorten it", longest)
	case strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }):
		k.say(path, "has a character that cannot be printed; remove it")
	case strings.TrimSpace(got) != got:
		k.say(path, "has a space at its begin or end; remove it")
	default:
		return true
	}
	return false
}

// name checks a name and that it was not seen before; what is the kind of thing that bears it.
func (k *checker) name(path, got, what string, seen map[string]string) {
	if got == "" {
		k.say(path, "the %s has no name; give it one", what)
		return
	}
	if !k.printable(path, got) || !k.readable(path) {
		return
	}
	if first, twice := seen[got]; twice {
		k.say(path, "a %s of this name is already there as %s; give each its own name", what, first)
		return
	}
	seen[got] = parent(path)
}

func (k *checker) virtualServers(c *Config) {
	if len(c.VirtualServers) == 0 {
		k.say("virtual_servers", "no virtual server, so nothing would be served; add one with name, protocol, listen and pool")
	}
	names, listens := map[string]string{}, []bound{}
	for i, vs := range c.VirtualServers {
		at := "virtual_servers[" + strconv.Itoa(i) + "]"
		k.name(at+".name", vs.Name, "virtual server", names)
		k.oneOf(at+".protocol", vs.Protocol, knownProtocols...)
		k.web(at, c, i)
		k.tls(at, &c.VirtualServers[i])
		listens = k.listen(at+".listen", vs, listens)
		k.poolOf(at+".pool", vs.Pool, "virtual server", c.Pools)
		k.routes(at+".routes", vs.Routes, c.Pools)
	}
}

// poolOf checks that a virtual server or route, which what says, names a pool that is there.
func (k *checker) poolOf(path, name, what string, pools []Pool) {
	var known []string
	for i, p := range pools {
		if p.Name == name || !k.readable("pools["+strconv.Itoa(i)+"].name") {
			known = nil
			name = p.Name
			break
		}
		known = append(known, strconv.Quote(p.Name))
	}
	switch {
	case name == "":
		k.say(path, "the %s has no pool; name one of pools", what)
	case len(known) > 0:
		k.say(path, "there is no pool of this name; choose one of %s or add it to pools", strings.Join(known, ", "))
	case len(pools) == 0 && k.readable("pools"):
		k.say(path, "there is no pool of this name; add it to pools")
	}
}

// bound is a listen address and where the file has it.
type bound struct {
	listen Listen
	path   string
}

func (k *checker) listen(path string, vs VirtualServer, seen []bound) []bound {
	if len(vs.Listen) == 0 {
		k.say(path, "no listen address; give one such as \":%d\"", DefaultPort(vs.Protocol))
	}
	for i, l := range vs.Listen {
		at := path + "[" + strconv.Itoa(i) + "]"
		if !k.readable(at) {
			continue
		}
		switch {
		case l.Port == 0:
			k.say(at, "port 0 is any port, which no player finds; give a number from 1 to 65535")
			continue
		case l.Addr.IsMulticast():
			k.say(at, "nobody can listen for connections on a multicast address; give an address of this machine")
			continue
		}
		if j := slices.IndexFunc(seen, func(b bound) bool { return b.listen.collides(l) }); j >= 0 {
			k.say(at, "%q of %s already listens there; give each its own address or port", seen[j].listen, parent(parent(seen[j].path)))
			continue
		}
		seen = append(seen, bound{l, at})
	}
	return seen
}

// collides reports whether the system would refuse the second of the two.
func (l Listen) collides(o Listen) bool {
	everyL := !l.Addr.IsValid() || l.Addr.IsUnspecified()
	everyO := !o.Addr.IsValid() || o.Addr.IsUnspecified()
	switch {
	case l.Port != o.Port:
		return false
	case everyL && everyO:
		return true
	case everyL:
		return !l.Addr.Is4() || o.Addr.Is4()
	case everyO:
		return !o.Addr.Is4() || l.Addr.Is4()
	}
	return l.Addr == o.Addr
}
