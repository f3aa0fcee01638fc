package httpfallback

import (
	"context"
	"sync"
)

// Shutdown stops accepting, lets responses run on, and returns when the last connection has ended or ctx is done; then the
// rest is ended, and ctx's error is returned. Sessions that only wait for their player's next request end with the last
// connection: there is no way back in.
func (p *Proxy) Shutdown(ctx context.Context) error {
	p.stopAccepting()
	err := p.server.Shutdown(ctx)
	if err != nil {
		p.kill()
	}
	p.finish()
	return err
}

// Close ends everything now and waits for it. It may be called more than once.
func (p *Proxy) Close() error {
	p.stopAccepting()
	p.kill()
	p.finish()
	return nil
}

// kill breaks every connection off.
func (p *Proxy) kill() {
	p.killed.Store(true)
	_ = p.server.Close() // closes connections; errors of closing tell nothing
}

// finish waits for all connections and ends the sessions that are left.
func (p *Proxy) finish() {
	_ = p.feed.Close() // never fails
	p.conns.Wait()
	p.mu.Lock()
	left := make([]*session, 0, len(p.sessions))
	for _, s := range p.sessions {
		p.endLocked(s)
		left = append(left, s)
	}
	p.mu.Unlock()
	for _, s := range left {
		p.hand(s)
	}
	p.closing.Wait()
}

func (p *Proxy) stopAccepting() {
	p.mu.Lock()
	p.draining = true
	for l := range p.listeners {
		_ = l.Close() // Serve returns by it
	}
	p.mu.Unlock()
	p.quitOnce.Do(func() { close(p.quit) })
}

// buffers lends the buffers through which bodies are copied.
type buffers struct{ pool sync.Pool }

// copyBuffer holds an ASF packet or several, and is what io.Copy would take.
const copyBuffer = 32 << 10

func newBuffers() *buffers {
	return &buffers{sync.Pool{New: func() any { return new([copyBuffer]byte) }}}
}

func (b *buffers) Get() []byte {
	buf, _ := b.pool.Get().(*[copyBuffer]byte)
	return buf[:]
}

func (b *buffers) Put(p []byte) {
	if len(p) == copyBuffer {
		b.pool.Put((*[copyBuffer]byte)(p))
	}
}
