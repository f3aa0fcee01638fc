package origin

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/url"
	"slices"
	"strings"
	"unicode/utf16"

	"mediagate/internal/asf"
	"mediagate/mms/mmswire"
)

// maxCredentials is how many wrong ones a connection may send.
const maxCredentials = 3

// openFile answers OpenFile: a file, a fault, a challenge or a redirect. [MS-MMSP] 3.2.5.6.
func (c *mmsConn) openFile(m *mmswire.OpenFile) error {
	if !c.funnel {
		return c.reportOpen(m.PlayIncarnation, hrUnexpected, nil)
	}
	c.halt()
	c.mu.Lock()
	c.file, c.name, c.entry, c.selected = nil, "", firstEntry, selection{}
	c.mu.Unlock()
	for _, name := range spellings(m.FileName) {
		if to, ok := c.server.cfg.Redirect["/"+name]; ok {
			if err := c.send(&mmswire.ReportRedirect{RedirectType: 1, Location: to}); err != nil {
				return err
			}
			return errMMSClosed
		}
	}
	c.wanted, c.asked = m.FileName, m.PlayIncarnation
	if !c.server.credentials(m.TokenData) {
		return c.challengeMMS(len(m.TokenData) > 0)
	}
	return c.open()
}

// securityResponse takes credentials for the file that was asked for. [MS-MMSP] 3.2.5.7.
func (c *mmsConn) securityResponse(m *mmswire.SecurityResponse) error {
	if c.wanted == "" || m.Cookie != c.cookie {
		return c.reportOpen(m.PlayIncarnation, hrUnexpected, nil)
	}
	c.asked = m.PlayIncarnation
	if !c.server.credentials(m.Token) {
		return c.challengeMMS(true)
	}
	return c.open()
}

// challengeMMS asks for credentials; who keeps on sending wrong ones is refused.
func (c *mmsConn) challengeMMS(wrong bool) error {
	if wrong {
		c.refused++
	}
	if c.refused >= maxCredentials {
		c.wanted = ""
		return c.reportOpen(c.asked, hrAccessDenied, nil)
	}
	c.cookie = random32()
	var token []byte // [MS-MMSP] 2.2.4.14: Unicode, with its NUL
	for _, u := range utf16.Encode([]rune(`realm="` + realm + "\"\x00")) {
		token = binary.LittleEndian.AppendUint16(token, u)
	}
	return c.send(&mmswire.SecurityChallenge{PlayIncarnation: c.asked, Cookie: c.cookie, Token: token})
}

// credentials tells whether a token has a user's name and password, or none are needed. RFC 2617, section 2:
// basic-credentials; "Basic " before them is passed over.
func (s *Server) credentials(token []byte) bool {
	if len(s.cfg.Users) == 0 {
		return true
	}
	text := strings.TrimPrefix(strings.TrimRight(string(token), "\x00"), "Basic ")
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	name, password, ok := strings.Cut(string(b), ":")
	want, known := s.cfg.Users[name]
	return ok && known && same(password, want)
}

// open opens what was asked for.
func (c *mmsConn) open() error {
	var file *asf.File
	var name string
	for _, name = range spellings(c.wanted) {
		if f, err := c.server.library.open(name); err == nil {
			file = f
			break
		}
	}
	c.wanted = ""
	if file == nil || file.PacketSize > mmswire.MaxPayload {
		return c.reportOpen(c.asked, hrFileNotFound, nil)
	}
	c.mu.Lock()
	c.file, c.name = file, name
	c.mu.Unlock()
	return c.reportOpen(c.asked, hrOK, file)
}

// spellings are the names of files that a path may mean. [MS-MMSP] 2.2.4.21 wants it decoded. Observed: VLC and FFmpeg do
// not decode it, VLC leaves the query out and the others have it in.
func spellings(p string) []string {
	var names []string
	add := func(name string) {
		if name = strings.Trim(name, "/"); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	bare, _, _ := strings.Cut(p, "?")
	for _, text := range []string{p, bare} {
		add(text)
		if decoded, err := url.PathUnescape(text); err == nil {
			add(decoded)
		}
	}
	return names
}

// reportOpen answers OpenFile. [MS-MMSP] 2.2.4.7; the file is nil if hr is a fault.
func (c *mmsConn) reportOpen(incarnation, hr uint32, f *asf.File) error {
	a := &mmswire.ReportOpenFile{HR: hr, PlayIncarnation: incarnation}
	if f == nil {
		return c.send(a)
	}
	a.OpenFileID = openFileID
	a.FileAttributes = mmswire.AttributeCanSeek
	if c.server.cfg.Playlist {
		a.FileAttributes = mmswire.AttributePlaylist
	}
	a.FileDuration = float64(f.Duration) / 1000
	a.FileBlocks = uint32(math.Ceil(a.FileDuration))
	a.FilePacketSize, a.FilePacketCount = uint32(f.PacketSize), uint64(len(f.Packets))
	a.FileBitRate, a.FileHeaderSize = f.Bitrate, uint32(len(f.Header))
	return c.send(a)
}

func (c *mmsConn) currentFile() *asf.File {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.file
}
