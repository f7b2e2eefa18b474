package testenv

import (
	"fmt"
	"io"
	"net"
	"time"
)

// What portals say: a redirection to where one signs in, or, as RFC 6585 would
// have it, that one must.
const (
	PortalRedirect = "HTTP/1.1 302 Found\r\nLocation: http://portal.lab/login\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	PortalDenied   = "HTTP/1.1 511 Network Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)

// Portal says how a captive portal behaves. The zero value redirects, and
// leaves flows that were open before in silence.
type Portal struct {
	// Answer is what it says to whatever is sent, before it closes. Empty means
	// PortalRedirect.
	Answer string
	// Reset makes it end flows that were open before with an RST. Else they are
	// silent, and go on when it is over.
	Reset bool
}

// Capture puts a captive portal before the ISP's border: until Release, each
// dial that would cross it is answered by the portal, in the name of whoever
// was dialled and on whatever port, after a round trip to the border. Nothing
// gets out, so nobody is exposed. It is nobody's blocking: the ledger books it
// as an outage. A dial that is under way when it begins is not answered. While
// it is in force, Capture again changes nothing.
func (i *ISP) Capture(p Portal) {
	if p.Answer == "" {
		p.Answer = PortalRedirect
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.portal.Load() != nil {
		return
	}
	if err := i.vantage.capture(p, p.serve); err != nil {
		i.w.trouble(fmt.Errorf("portal of %s: %w", i.name, err))
		return
	}
	i.portal.Store(&p)
	i.books.begins(Outage{ISP: i.name, From: time.Now(), Captive: true})
}

// Release ends a Capture: connections with the portal end with RST.
func (i *ISP) Release() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.portal.Swap(nil) == nil {
		return
	}
	i.w.trouble(i.vantage.release())
	i.books.ends(true, time.Now())
}

// serve waits for something to be sent, answers, and closes.
func (p Portal) serve(c net.Conn) {
	defer c.Close()
	var b [4 << 10]byte
	if n, _ := c.Read(b[:]); n == 0 {
		return
	}
	_, _ = io.WriteString(c, p.Answer)
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, c)
}
