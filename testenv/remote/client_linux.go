package remote

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"
)

// Run runs a program in the world, with the given standard streams, and returns
// its exit status, or 128 and the number of the signal that has ended it. What
// comes from signals is passed on to the program and all that it has started; a
// nil channel is none. With the end of ctx the program is killed.
func (c *Client) Run(ctx context.Context, p Program, stdin, stdout, stderr *os.File, signals <-chan os.Signal) (status int, err error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, errors.New("programs run over a unix socket only")
	}
	cut := context.AfterFunc(ctx, func() { _ = u.Close() })
	defer cut()
	answers, err := upgrade(ctx, u, p)
	if err != nil {
		return 0, err
	}
	if err := send(u, stdin, stdout, stderr); err != nil {
		return 0, fmt.Errorf("standard streams: %w", err)
	}
	ended := make(chan struct{})
	passing := make(chan struct{})
	go func() {
		defer close(passing)
		for {
			select {
			case <-ended:
				return
			case s := <-signals:
				if n, ok := s.(syscall.Signal); ok {
					_, _ = u.Write([]byte{byte(n)})
				}
			}
		}
	}()
	var result Result
	err = json.NewDecoder(answers).Decode(&result)
	close(ended)
	<-passing
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case err != nil:
		return 0, errors.New("the world has ended")
	case result.Error != "":
		return 0, errors.New(result.Error)
	}
	return result.Status, nil
}

// upgrade asks for a program, and returns what the server then sends.
func upgrade(ctx context.Context, u net.Conn, p Program) (*bufio.Reader, error) {
	r, err := request(ctx, http.MethodPost, "/v1/programs", p)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", protocol)
	if err := r.Write(u); err != nil {
		return nil, err
	}
	answers := bufio.NewReader(u)
	response, err := http.ReadResponse(answers, r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		return nil, refusal(response)
	}
	return answers, nil
}

// send sends descriptors. Their files are not changed by it.
func send(u *net.UnixConn, files ...*os.File) error {
	var fds []int
	for _, f := range files {
		raw, err := f.SyscallConn()
		if err != nil {
			return err
		}
		if err := raw.Control(func(fd uintptr) { fds = append(fds, int(fd)) }); err != nil {
			return err
		}
	}
	_, _, err := u.WriteMsgUnix([]byte{0}, syscall.UnixRights(fds...), nil)
	return err
}
