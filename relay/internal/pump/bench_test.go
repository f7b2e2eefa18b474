package pump

import (
	"fmt"
	"io"
	"testing"
	"time"
)

// BenchmarkRun moves bytes over loopback, in writes of one size. Writer and
// reader are counted in.
func BenchmarkRun(b *testing.B) {
	for _, size := range []int{100, 4 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("write=%d", size), func(b *testing.B) {
			c := newCourse(b)
			_, _ = c.in.SetDeadline(time.Time{}), c.out.SetDeadline(time.Time{})
			done := run(c, new(gauge))
			read := make(chan struct{})
			go func() {
				defer close(read)
				buffer := make([]byte, 256<<10)
				for {
					if _, err := c.out.Read(buffer); err != nil {
						return
					}
				}
			}()
			data := noise(size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.in.Write(data); err != nil {
					b.Fatal(err)
				}
			}
			c.in.CloseWrite()
			<-done
			c.dst.CloseWrite()
			<-read
		})
	}
}

// BenchmarkRoundTrip is a byte there and back through two directions, which is
// what a small request costs.
func BenchmarkRoundTrip(b *testing.B) {
	client, near := link(b)
	far, server := link(b)
	done := make(chan struct{}, 3)
	go func() { Run(far, near, new(Source), new(gauge)); done <- struct{}{} }()
	go func() { Run(near, far, new(Source), new(gauge)); done <- struct{}{} }()
	go func() { _, _ = io.Copy(server, server); done <- struct{}{} }()
	one := []byte("x")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Write(one); err != nil {
			b.Fatal(err)
		}
		if _, err := client.Read(one); err != nil {
			b.Fatal(err)
		}
	}
	client.Close()
	server.Close()
	far.Close()
	near.Close()
	for range 3 {
		<-done
	}
}
