// Package player is the built-in player of `mediagate play`, `mediagate demo` and the tests. It speaks RTSP as Windows
// Media Player does ([MS-RTSP], section 3.1), over UDP and interleaved, and MMS ([MS-MMSP], section 3.1) over UDP and
// TCP, and writes what it got as an ASF file; of ordinary origins it counts the RTP packets.
//
// Play owns its TCP connection, its UDP sockets and a goroutine for each, and ends them all before it returns.
//
// It must not know the gateway: it imports nothing of ours but internal/asf and mms/mmswire, and speaks RTSP through
// gortsplib's message types.
//
// It is tested against internal/origin, over MMS against a server that follows a script too, and its files against
// ffprobe where that is installed.
package player
