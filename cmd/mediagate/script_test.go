package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mediagate": main})
}

// TestScripts runs the program as a person would; each file in testdata/script is one story.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: captures,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"freeport": freePort,
			"holdport": holdPort,
			"connects": connects,
			"appears":  appears,
			"send":     send,
		},
	})
}

// freePort NAME sets the variable to a TCP port that nobody listens on, of those that the kernel gives nobody who connects meanwhile.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 16000+rand.IntN(4000)))
		if err != nil {
			continue
		}
		ts.Setenv(args[0], port(l))
		ts.Check(l.Close())
		return
	}
	ts.Fatalf("no free port")
}

// holdPort NAME listens on a TCP port until the script ends and sets the variable to it.
func holdPort(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() }) // nobody connects
	ts.Setenv(args[0], port(l))
}

func port(l net.Listener) string {
	_, p, _ := net.SplitHostPort(l.Addr().String())
	return p
}

// connects ADDR waits until somebody listens there.
func connects(ts *testscript.TestScript, _ bool, args []string) {
	await(ts, args[0]+" does not answer", func() bool {
		c, err := net.Dial("tcp", args[0])
		if err == nil {
			_ = c.Close() // it has done what it was for
		}
		return err == nil
	})
}

// appears FILE waits until the file is there; with a second word, until it has that text.
func appears(ts *testscript.TestScript, _ bool, args []string) {
	await(ts, strings.Join(args, " ")+": not seen", func() bool {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && (len(args) < 2 || strings.Contains(string(data), args[1]))
	})
}

// send SIGNAL gives a signal to the program in the background.
func send(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP}
	running := ts.BackgroundCmds()
	if len(running) == 0 || signals[args[0]] == nil {
		ts.Fatalf("no program in the background, or no signal %q", args[0])
	}
	ts.Check(running[len(running)-1].Process.Signal(signals[args[0]]))
}

func await(ts *testscript.TestScript, fault string, seen func() bool) {
	const patience, pause = 60 * time.Second, 20 * time.Millisecond
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !seen(); <-tick.C {
		if time.Now().After(deadline) {
			ts.Fatalf("%s within %s", fault, patience)
		}
	}
}
