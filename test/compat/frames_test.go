package compat

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames says of how many buffers most DATA frames are by which /large comes over
// HTTP/2: nginx makes a frame, of up to 8 KB, of what it may have busy at once. A
// frame of two comes with busy buffers of one, too, where the client is slow.
func frames(c client) string {
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", c.site.HTTPS), &tls.Config{ServerName: c.host, InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		c.t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	var block strings.Builder
	fields := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", c.host}, {":path", "/large"}} {
		_ = fields.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}) // into memory
	}
	// Windows for the whole body.
	err = errors.Join(
		framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 24}), framer.WriteWindowUpdate(0, 1<<24),
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte(block.String()), EndStream: true, EndHeaders: true}))
	if err != nil {
		c.t.Fatal(err)
	}
	two, sum := 0, 0
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			c.t.Fatalf("%v after %d bytes", err, sum)
		}
		switch f := frame.(type) {
		case *http2.DataFrame:
			sum += len(f.Data())
			if len(f.Data()) == 2*4096 {
				two += len(f.Data())
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return fmt.Sprintf("%v after %d bytes", frame, sum)
		}
		if frame.Header().StreamID == 1 && frame.Header().Flags.Has(http2.FlagDataEndStream) && frame.Header().Type == http2.FrameData {
			if two < sum/2 {
				return "one buffer"
			}
			return "two buffers"
		}
	}
}
