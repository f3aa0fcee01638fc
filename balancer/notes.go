package balancer

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// note is a log line that waits for the lock to be given back: a log that stalls must not stall Acquire.
type note struct {
	level  zapcore.Level
	text   string
	fields []zap.Field
}

func (p *Pool) noteLocked(level zapcore.Level, text string, fields ...zap.Field) {
	p.notes = append(p.notes, note{level, text, fields})
}

func (p *Pool) unlock() {
	notes := p.notes
	p.notes = nil
	p.mu.Unlock()
	for _, n := range notes {
		p.cfg.Logger.Log(n.level, n.text, n.fields...)
	}
}
