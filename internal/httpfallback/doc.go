// Package httpfallback carries Windows Media HTTP streaming ([MS-WMSP]) and ordinary HTTP to the nodes of a pool.
package httpfallback
