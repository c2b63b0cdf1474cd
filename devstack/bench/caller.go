package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

// caller sends POST requests over one connection that it keeps. It shares the machine with what it measures: net/http's
// client would take as much of the processors as the server does.
type caller struct {
	conn    net.Conn
	in      *bufio.Reader
	head    []byte // of every request, up to the value of Idempotency-Key
	request []byte
	answer  []byte
}

func dial(ctx context.Context, addr, path string) (*caller, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nPrefer: wait=30\r\nIdempotency-Key: ", path, addr)
	return &caller{conn: conn, in: bufio.NewReader(conn), head: []byte(head)}, nil
}

// post gives the status of the answer. Its body is valid until the next call.
func (c *caller) post(key string, body []byte) (status int, answer []byte, err error) {
	c.request = append(c.request[:0], c.head...)
	c.request = append(c.request, key...)
	c.request = append(c.request, "\r\nContent-Length: "...)
	c.request = strconv.AppendInt(c.request, int64(len(body)), 10)
	c.request = append(c.request, "\r\n\r\n"...)
	c.request = append(c.request, body...)
	if _, err := c.conn.Write(c.request); err != nil {
		return 0, nil, err
	}
	return c.read()
}

var (
	contentLength = []byte("Content-Length: ") // as net/http writes it
	lineEnd       = []byte("\r\n")
)

// read takes one answer off the connection. It must say its length, as net/http does for all short ones.
func (c *caller) read() (status int, body []byte, err error) {
	const statusAt, statusEnd = len("HTTP/1.1 "), len("HTTP/1.1 200")
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < statusEnd {
		return 0, nil, fmt.Errorf("not an answer of HTTP: %q", line)
	}
	if status, err = strconv.Atoi(string(line[statusAt:statusEnd])); err != nil {
		return 0, nil, fmt.Errorf("not an answer of HTTP: %q", line)
	}
	length := -1
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, nil, err
		}
		line = bytes.TrimSuffix(line, lineEnd)
		if len(line) == 0 {
			break
		}
		if value, found := bytes.CutPrefix(line, contentLength); found {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, nil, fmt.Errorf("length of the answer: %w", err)
			}
		}
	}
	if length < 0 {
		return 0, nil, errors.New("the answer has no Content-Length")
	}
	if cap(c.answer) < length {
		c.answer = make([]byte, length)
	}
	c.answer = c.answer[:length]
	_, err = io.ReadFull(c.in, c.answer)
	return status, c.answer, err
}
