// Package mmswire reads and writes the MMS protocol as bytes ([MS-MMSP] 2.2): TcpMessageHeader packets with the messages
// in them, Data packets, resend requests and client logs.
package mmswire
