package origin

import (
	"sync"
	"time"
)

// mmsTask is a goroutine that sends for a connection.
type mmsTask struct {
	cancel   func() // may be called twice
	finished chan struct{}
}

// start runs send in place of what ran before. Only the owner calls it.
func (c *mmsConn) start(send func(stop <-chan struct{})) {
	c.halt()
	stop, finished := make(chan struct{}), make(chan struct{})
	c.task = &mmsTask{cancel: sync.OnceFunc(func() { close(stop) }), finished: finished}
	c.server.wg.Go(func() {
		defer close(finished)
		send(stop)
	})
}

// halt ends the task and waits for it; a write that it is in has a deadline. Only the owner calls it.
func (c *mmsConn) halt() {
	if c.task == nil {
		return
	}
	c.task.cancel()
	<-c.task.finished
	c.task = nil
	c.mu.Lock()
	c.streaming = false
	c.mu.Unlock()
}

// clock waits for points in time.
type clock struct {
	timer *time.Timer
	stop  <-chan struct{}
}

func newClock(stop <-chan struct{}) *clock { return &clock{timer: time.NewTimer(0), stop: stop} }

// wait returns false if the task is to end first. The clock of a task that ends needs no stopping.
func (c *clock) wait(until time.Time) bool {
	c.timer.Reset(time.Until(until))
	select {
	case <-c.stop:
		return false
	case <-c.timer.C:
		return true
	}
}

// budget allows so much in each second.
type budget struct {
	second time.Time
	spent  int
}

// take tells whether one more may be had.
func (b *budget) take(now time.Time) bool {
	if now.Sub(b.second) >= time.Second {
		b.second, b.spent = now, 0
	}
	b.spent++
	return b.spent <= resendLimit
}
