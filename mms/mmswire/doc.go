// Package mmswire reads and writes the MMS protocol as bytes ([MS-MMSP] 2.2): TcpMessageHeader packets with the messages
// in them, Data packets, resend requests and client logs; and the two texts that a gateway must edit, subscriberName and
// funnelName. What nobody understands is kept: fields after the last one, padding that is not zero, halves of characters.
//
//	chunkCount                              not looked at; written as players write it
//	MBZ and padding of the header           not looked at; written as zeros
//	messageLength, chunkLen that disagree   refused, the connection is lost
//	a constant that is another              kept: players set half of the fields that the spec demands to zero
//	a report of a failure, cut short        read; its last fields are zero
//
// It owns the buffer of a Reader, whose Data packets are valid until the next Read; packets and messages belong to the
// caller. Nothing has to be closed. No length that a peer names is allocated before its bytes are there.
//
// It must not know sockets, clocks, logs or sessions: it takes an io.Reader and returns errors as values. It judges no
// order of messages, and no value but sizes.
//
// It is tested by tables with the bytes that players send, by the files of testdata/torture/mms, by cutting at every byte
// and feeding one byte at a time, and by fuzzing; a Data packet read is asserted to allocate nothing. In internal/lab
// tshark reads every message that we write.
package mmswire
