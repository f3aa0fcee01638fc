package config

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// knownProtocols are those of virtual servers, in the order in which they are offered.
var knownProtocols = []string{ProtocolRTSP, ProtocolRTSPS, ProtocolMMS, ProtocolHTTP, ProtocolHTTPS}

// web checks what virtual servers for HTTP have and others have not.
func (k *checker) web(path string, c *Config, i int) {
	vs := &c.VirtualServers[i]
	k.span(path+".affinity", vs.Affinity, time.Second, 24*time.Hour)
	if len(vs.Announce) > 0 && !vs.IsWeb() && slices.Contains(knownProtocols, vs.Protocol) {
		k.say(path+".announce", "goes with the protocols http and https, which announcements are asked of; remove it")
		return
	}
	var known []string
	for j := range c.VirtualServers {
		if !k.readable("virtual_servers[" + strconv.Itoa(j) + "].name") {
			return // it may be the one that is meant
		}
		known = append(known, strconv.Quote(c.VirtualServers[j].Name))
	}
	for j, name := range vs.Announce {
		at := path + ".announce[" + strconv.Itoa(j) + "]"
		switch {
		case !slices.Contains(known, strconv.Quote(name)):
			k.say(at, "there is no virtual server of this name; choose of %s", strings.Join(known, ", "))
		case slices.Contains(vs.Announce[:j], name):
			k.say(at, "is announced already; remove one")
		}
	}
}

// tls checks that there is a certificate where one is needed. Whether its files can be read is not found out here.
func (k *checker) tls(path string, vs *VirtualServer) {
	at, t := path+".tls", vs.TLS
	given := t.Certificate != "" || t.Key != ""
	switch {
	case !slices.Contains(knownProtocols, vs.Protocol):
	case !vs.IsTLS() && given:
		k.say(at, "%s is not in TLS, only rtsps and https are; remove tls or change the protocol", vs.Protocol)
	case !vs.IsTLS():
	case !given:
		k.say(at, "%s needs a certificate and its key; give \"tls: {certificate: FILE, key: FILE}\"", vs.Protocol)
	case t.Certificate == "":
		k.say(at+".certificate", "the certificate is missing; give the file that has it, in PEM")
	case t.Key == "":
		k.say(at+".key", "the certificate's key is missing; give the file that has it, in PEM")
	default:
		k.printable(at+".certificate", t.Certificate)
		k.printable(at+".key", t.Key)
	}
}
