package aws

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// signer is a transport that signs requests, and that puts in place of the body of an answer that is no success what it says.
type signer struct {
	next            http.RoundTripper
	signer          *v4.Signer
	source          aws.CredentialsProvider
	service, region string
}

// said is what an answer says beside its body. The transport writes it where the context of the request has it.
type said struct {
	header        http.Header
	code, message string // of an error
}

// saidKey is the key of a *said in a context.
type saidKey struct{}

// RoundTrip signs a request and makes it.
func (s *signer) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	keys, err := s.source.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("getting AWS credentials: %w", err)
	}
	var body []byte
	if r.GetBody != nil {
		in, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		if body, err = io.ReadAll(in); err != nil {
			return nil, err
		}
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	signed := r.Clone(ctx)
	idempotent, marked := signed.Header["X-Idempotency-Key"]
	delete(signed.Header, "X-Idempotency-Key") // it is for the transport, and is not sent
	s3 := s.service == "s3"
	if s3 {
		signed.Header.Set("X-Amz-Content-Sha256", hash)
	}
	if err := s.signer.SignHTTP(ctx, keys, signed, hash, s.service, s.region, time.Now(), func(o *v4.SignerOptions) { o.DisableURIPathEscaping = s3 }); err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	if marked {
		signed.Header["X-Idempotency-Key"] = idempotent
	}
	answer, err := s.next.RoundTrip(signed)
	if err != nil {
		return nil, err
	}
	told, _ := ctx.Value(saidKey{}).(*said)
	if told == nil {
		told = new(said)
	}
	told.header = answer.Header
	if answer.StatusCode/100 != 2 {
		s.read(answer, told, signed.Header)
	}
	return answer, nil
}

// errorLimit is how much of an answer that is an error is read.
const errorLimit = 1 << 20

// read takes the code and the message from an answer that is an error, and leaves them as its body, without what would let
// others make requests.
func (s *signer) read(answer *http.Response, told *said, sent http.Header) {
	text, err := io.ReadAll(io.LimitReader(answer.Body, errorLimit))
	closer := answer.Body
	told.code, told.message = failure(text, answer.Header)
	plain := string(text)
	if told.code != "" {
		plain = told.code + ": " + told.message
	}
	for _, name := range []string{"Authorization", "X-Amz-Security-Token"} {
		value := sent.Get(name)
		if _, signature, ok := strings.Cut(value, "Signature="); ok {
			value = signature
		}
		if value != "" {
			plain = strings.ReplaceAll(plain, value, "***")
		}
	}
	var rest io.Reader = strings.NewReader(plain)
	if err != nil {
		rest = io.MultiReader(rest, broken{err})
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{rest, closer}
	answer.ContentLength = -1
}

// broken is the end of an answer that broke off.
type broken struct{ err error }

// Read fails.
func (b broken) Read([]byte) (int, error) { return 0, b.err }

// failure returns the code and the message of an error, which is XML, or JSON with the code in it or in a header.
func failure(body []byte, header http.Header) (code, message string) {
	body = bytes.TrimSpace(body)
	if bytes.HasPrefix(body, []byte("<")) {
		return failureXML(body)
	}
	code = header.Get("X-Amzn-Errortype")
	var in struct {
		Type    string `json:"__type"`
		Code    string `json:"code"`
		Message string `json:"message"` // in any case of its letters
	}
	if json.Unmarshal(body, &in) == nil {
		message = in.Message
		if in.Type != "" {
			code = in.Type
		} else if code == "" {
			code = in.Code
		}
	}
	return bare(code), message
}

// bare returns a code without the namespace before it and the address behind it.
func bare(code string) string {
	code, _, _ = strings.Cut(code, ":")
	return code[strings.LastIndexByte(code, '#')+1:]
}

// failureXML reads S3's <Error> and the <ErrorResponse> of others.
func failureXML(body []byte) (code, message string) {
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := d.Token()
		if err != nil {
			return code, message
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		var into *string
		switch {
		case start.Name.Local == "Code" && code == "":
			into = &code
		case start.Name.Local == "Message" && message == "":
			into = &message
		default:
			continue
		}
		if d.DecodeElement(into, &start) != nil {
			return code, message
		}
	}
}
