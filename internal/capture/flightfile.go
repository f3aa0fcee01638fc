package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

// line is an entry of a file that is no message.
type line struct {
	at   time.Time
	text string
}

const flightSuffix = ".flight"

// writeFlight writes what the session kept. It runs on the Book's goroutine, after the session's end.
func (s *Session) writeFlight(state, why string) {
	f := &s.book.cfg.Flight
	log := s.book.cfg.Logger.With(zap.String("session", s.about.ID))
	text := s.flight(state, why)
	f.makeRoom(int64(len(text)), log)
	path := filepath.Join(f.Dir, fileName(s.about.ID, s.began)+flightSuffix)
	if err := os.WriteFile(path, text, 0o640); err != nil { // addresses of people, as in the session log
		_ = os.Remove(path) // half of it, on a full disk
		log.Warn("flight recorder cannot write", zap.Error(err))
		return
	}
	log.Info("flight recorder wrote", zap.String("file", path), zap.String("end", state))
}

// fileName has the time in front, so that names sort by age. An ID has no character that a name may not have, unless
// somebody changes that.
func fileName(id string, at time.Time) string {
	return at.UTC().Format("20060102T150405.000Z") + "-" + fileWord(id)
}

func fileWord(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, text)
}

// flight is the file.
func (s *Session) flight(state, why string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var w bytes.Buffer
	p := newPrinter(&w)
	p.head(&s.about, &s.facts)
	p.field("end", state)
	p.field("why", why)
	if s.messages.lost > 0 {
		p.field("lost", fmt.Sprintf("the first %d messages", s.messages.lost))
	}
	var lines []line
	for _, m := range s.media {
		lines = append(lines, m.lines()...)
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	for i := range s.messages.list {
		m := &s.messages.list[i]
		for len(lines) > 0 && lines[0].at.Before(m.at) {
			p.line(lines[0])
			lines = lines[1:]
		}
		p.message(m)
	}
	for _, l := range lines {
		p.line(l)
	}
	return w.Bytes()
}

// makeRoom deletes the oldest files of the flight recorder until another one has its place.
func (f *Flight) makeRoom(size int64, log *zap.Logger) {
	entries, err := os.ReadDir(f.Dir) // sorted by name, so by age
	if err != nil {
		log.Warn("flight recorder cannot look at its directory", zap.Error(err))
		return
	}
	var names []string
	var sizes []int64
	total := size
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.Type().IsRegular() || !strings.HasSuffix(e.Name(), flightSuffix) {
			continue // gone meanwhile, or not ours
		}
		names, sizes = append(names, e.Name()), append(sizes, info.Size())
		total += info.Size()
	}
	for i := range names {
		if (f.Files == 0 || len(names)-i < f.Files) && (f.Bytes == 0 || total <= f.Bytes) {
			return
		}
		if err := os.Remove(filepath.Join(f.Dir, names[i])); err != nil && !errors.Is(err, fs.ErrNotExist) {
			log.Warn("flight recorder cannot delete an old file", zap.Error(err))
		}
		total -= sizes[i]
	}
}
