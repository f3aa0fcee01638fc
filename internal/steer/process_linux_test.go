package steer_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mediagate/internal/lab"
	"mediagate/internal/steer"
)

// child, in the environment, makes this test program the process that is looked at.
const child = "MEDIAGATE_STEER_CHILD"

func TestMain(m *testing.M) {
	if how := os.Getenv(child); how != "" {
		os.Exit(beChild(how))
	}
	os.Exit(m.Run())
}

// beChild opens a range with a socket of its own, says how it went, and stays until it is killed or its input ends.
func beChild(how string) int {
	if how == "nobody" {
		const nobody = 65534
		if os.Geteuid() == 0 && (syscall.Setgid(nobody) != nil || syscall.Setuid(nobody) != nil) {
			return 1
		}
	}
	if how == "without CAP_NET_RAW" {
		return withoutRaw()
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 190)})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if err := raw.Control(func(fd uintptr) { _, err = steer.Open(steer.Spec{Lo: lo, Hi: hi, V4: []int{int(fd)}}) }); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(err)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// withoutRaw gives one capability up, opens with the interface of the test's cable, and says what came of that.
func withoutRaw() int {
	runtime.LockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		fmt.Println(err)
		return 1
	}
	data[0].Effective &^= 1 << unix.CAP_NET_RAW
	if err := unix.Capset(&header, &data[0]); err != nil {
		fmt.Println(err)
		return 1
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: cableOurs.As4()})
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	g, err := steer.Open(steer.Spec{Lo: lo, Hi: hi, V4: []int{fd}, Interfaces: []string{cableEnd}})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(g.Interfaces()[0].Err)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// TestWithoutRaw: steering works without the one capability that interfaces need besides, and says that it is missing.
func TestWithoutRaw(t *testing.T) {
	gateway, _ := newCable(t)
	var said string
	gateway.do(func() { _, said = start(t, "without CAP_NET_RAW") })
	if want := "not supported: the process lacks CAP_NET_RAW: "; !strings.HasPrefix(said, want) {
		t.Errorf("said %q, want %q and the kernel's words", said, want)
	}
}

// start runs this program as a child and gives the first line that it says.
func start(t *testing.T, how string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), child+"="+how)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // the killed one has been waited for
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(line)
}

// TestNobody: a process without privileges is told what it lacks.
func TestNobody(t *testing.T) {
	_, said := start(t, "nobody")
	const want = "steer: open ports 20000-20007: not supported: the process lacks CAP_NET_ADMIN and CAP_BPF: "
	if !strings.HasPrefix(said, want) || !strings.HasSuffix(said, "operation not permitted") {
		t.Errorf("said %q, want %q and the kernel's words", said, want)
	}
}

// TestKilled: a process that could not clean up leaves nothing behind.
func TestKilled(t *testing.T) {
	lab.NeedRoot(t)
	b := newBed(t)
	var cmd *exec.Cmd
	var said string
	b.do(func() { cmd, said = start(t, "root") }) // a child is born in the namespace of the thread that starts it
	if said != "<nil>" {
		t.Fatalf("the child says %q", said)
	}
	if n := b.attached(); n != 1 {
		t.Fatalf("%d programs are attached while the child runs", n)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"
	// The kernel frees what a dead process had on its own time.
	if !lab.Eventually(15*time.Second, func() bool { return b.attached() == 0 }) {
		t.Errorf("%d programs are attached after the child was killed", b.attached())
	}
}
