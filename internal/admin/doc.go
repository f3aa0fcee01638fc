// Package admin is the HTTP interface by which operators look at a running gateway and order it.
//
// What it is: routes, JSON, a guard, and the paper that describes them (openapi.yaml). What it owns: its listener and its
// requests. What it must not know: sessions, pools and sockets (it asks a Gateway). How it is tested: every route of the paper is
// asked, and every answer held against it; curl and the program's own commands in scripts.
package admin
