// Package rtspwire reads and writes RTSP/1.0 as bytes.
package rtspwire
