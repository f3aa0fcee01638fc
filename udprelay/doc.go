// Package udprelay relays RTP and RTCP over UDP between a client and an origin.
package udprelay
