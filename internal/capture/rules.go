package capture

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"go.uber.org/zap"
)

// Rule chooses sessions that are recorded by themselves. All that it names must fit; what it does not name fits always.
type Rule struct {
	Name string
	// Trace and Packets say what is recorded.
	Trace, Packets bool
	Client         netip.Prefix
	// URL and UserAgent are patterns: "*" is any text, "?" any character; capitals do not matter.
	URL, UserAgent string
	Node           string
	Options        Options
}

const captureSuffix = ".pcapng"

// verdict of a rule on a session of which not all may be known.
type verdict int

const (
	unknown verdict = iota
	yes
	no
)

func (r *Rule) judge(a *About, f *Facts) verdict {
	if r.Client.IsValid() && !r.Client.Contains(a.Client.Addr().Unmap().WithZone("")) {
		return no
	}
	v := yes
	for _, p := range []struct {
		pattern, value string
		glob           bool
	}{{r.URL, f.URL, true}, {r.UserAgent, f.UserAgent, true}, {r.Node, f.Node, false}} {
		switch {
		case p.pattern == "":
		case p.value == "":
			v = unknown
		case p.glob && !glob(strings.ToLower(p.pattern), strings.ToLower(p.value)):
			return no
		case !p.glob && p.pattern != p.value:
			return no
		}
	}
	return v
}

// glob matches in time that grows with the product of the lengths at most: it goes back to the last star alone.
func glob(pattern, s string) bool {
	star, mark, i, j := -1, 0, 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}

// waiting is a rule that is not decided yet, and what it has recorded meanwhile.
type waiting struct {
	rule *Rule
	rec  *recording // nil: a trace alone, which begins with what the flight recorder has
}

// applyRules arms what a session may turn out to be wanted for.
func (s *Session) applyRules() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.book.cfg.Rules {
		w := waiting{rule: &s.book.cfg.Rules[i]}
		v := w.rule.judge(&s.about, &s.facts)
		if v == no {
			continue
		}
		if w.rule.Packets {
			w.rec = newRecording(w.rule.Options, pendingQueue)
			if s.armLocked(w.rec) != nil {
				w.rec = nil // as many as there may be
			}
		}
		s.waiting = append(s.waiting, w)
	}
	s.decideLocked()
}

// decideLocked starts what is wanted and lets go of what is not.
func (s *Session) decideLocked() {
	var left []waiting
	for _, w := range s.waiting {
		switch w.rule.judge(&s.about, &s.facts) {
		case unknown:
			left = append(left, w)
		case no:
			s.dropLocked(w.rec)
		default:
			s.chosenLocked(w)
		}
	}
	s.waiting = left
}

func (s *Session) chosenLocked(w waiting) {
	dir, name := s.book.cfg.Dir, fileName(s.about.ID, s.began)
	log := s.book.cfg.Logger.With(zap.String("session", s.about.ID), zap.String("rule", w.rule.Name))
	if w.rule.Trace && s.trace == nil {
		s.traceLocked(opener(filepath.Join(dir, name+traceSuffix), 0o640))
		log.Info("session is traced")
	}
	if w.rec != nil {
		w.rec.widen()
		s.startLocked(w.rec, opener(filepath.Join(dir, name+"-"+fileWord(w.rule.Name)+captureSuffix), 0o600))
		log.Info("session is captured")
	}
}

// opener opens a file on the goroutine that writes it.
func opener(path string, mode os.FileMode) func() (io.WriteCloser, error) {
	return func() (io.WriteCloser, error) {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
		if err != nil {
			return nil, fmt.Errorf("capture: open file: %w", err)
		}
		return f, nil
	}
}
