package aws_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/aws"
	"github.com/saker-sec/saker/internal/sink/httpsink"
)

// serve starts a server and returns its URL.
func serve(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return srv.URL
}

// isolate clears what AWS's programs would find on the machine, and sets what the test says.
func isolate(t *testing.T, environment map[string]string) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for name, value := range environment {
		t.Setenv(name, value)
	}
}

// TestJudge tells what passes, and what the operator can mend, from what is the alert's own fault.
func TestJudge(t *testing.T) {
	xml := func(code string) string {
		return `<?xml version="1.0"?>` + "\n<Error><Code>" + code + "</Code><Message>why &amp; what</Message></Error>"
	}
	nested := func(code string) string {
		return `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>` + code + "</Code><Message>why &amp; what</Message></Error></ErrorResponse>"
	}
	json := func(code string) string {
		return `{"__type":"com.amazonaws.x#` + code + `","message":"why & what"}`
	}
	for _, c := range []struct {
		status    int
		body      string
		code      string
		permanent bool
	}{
		{400, json("ThrottlingException"), "ThrottlingException", false},
		{400, json("ProvisionedThroughputExceededException"), "ProvisionedThroughputExceededException", false},
		{400, json("LimitExceededException"), "LimitExceededException", false},
		{400, json("KMSThrottlingException"), "KMSThrottlingException", false},
		{400, json("KMSDisabledException"), "KMSDisabledException", false},
		{400, json("ExpiredTokenException"), "ExpiredTokenException", false},
		{400, json("UnrecognizedClientException"), "UnrecognizedClientException", false},
		{400, json("AccessDeniedException"), "AccessDeniedException", false},
		{400, json("QueueDoesNotExist"), "QueueDoesNotExist", false},
		{400, json("ResourceNotFoundException"), "ResourceNotFoundException", false},
		{400, `{"code":"RequestLimitExceeded","Message":"why & what"}`, "RequestLimitExceeded", false},
		{503, xml("SlowDown"), "SlowDown", false},
		{403, xml("AccessDenied"), "AccessDenied", false},
		{403, xml("RequestTimeTooSkewed"), "RequestTimeTooSkewed", false},
		{404, xml("NoSuchBucket"), "NoSuchBucket", false},
		{400, xml("AuthorizationHeaderMalformed"), "AuthorizationHeaderMalformed", false},
		{400, xml("RequestTimeout"), "RequestTimeout", false},
		{301, xml("PermanentRedirect"), "PermanentRedirect", false},
		{400, nested("Throttling"), "Throttling", false},
		{403, nested("InvalidClientTokenId"), "InvalidClientTokenId", false},
		{500, nested("InternalFailure"), "InternalFailure", false},
		{400, xml("EntityTooLarge"), "EntityTooLarge", true},
		{400, json("ValidationException"), "ValidationException", true},
		{400, json("InvalidMessageContents"), "InvalidMessageContents", true},
		{400, nested("InvalidParameter"), "InvalidParameter", true},
		{413, "", "", true},
		{400, "no words", "", true},
		{403, "no words", "", false},
		{404, "<html", "", false},
		{502, "<html><Code>", "", false},
	} {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.body)
		})
		client, err := aws.New(aws.Config{AccessKeyID: "id", SecretAccessKey: "key", Region: "eu-west-1", Endpoint: url}, aws.Service{Name: "name", ID: "sqs"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Do(t.Context(), aws.Request{})
		if err == nil || aws.Code(err) != c.code || route.Permanent(err) != c.permanent {
			t.Errorf("%d %s: code %q, permanent %v: %v", c.status, c.body, aws.Code(err), route.Permanent(err), err)
		} else if c.code != "" && !strings.HasSuffix(err.Error(), ": "+c.code+": why & what") {
			t.Errorf("%d %s: %v", c.status, c.body, err)
		}
	}
}

// TestHeader has the code of an error from the header, where Lambda has it.
func TestHeader(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-Errortype", "TooManyRequestsException:http://internal.amazon.com/")
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"Reason":"CallerRateLimitExceeded","message":"Rate Exceeded"}`)
	})
	client, err := aws.New(aws.Config{AccessKeyID: "id", SecretAccessKey: "key", Region: "eu-west-1", Endpoint: url}, aws.Service{Name: "name", ID: "lambda"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Do(t.Context(), aws.Request{})
	if aws.Code(err) != "TooManyRequestsException" || !strings.HasSuffix(err.Error(), "429 Too Many Requests: TooManyRequestsException: Rate Exceeded") {
		t.Error(err)
	}
	e, ok := err.(interface {
		RetryAfter() (time.Duration, bool)
	})
	if !ok {
		t.Fatalf("%T asks for no pause", err)
	}
	if d, asked := e.RetryAfter(); !asked || d != 3*time.Second {
		t.Error(d, asked)
	}
}

// TestEndpoints finds the address of a service in each partition, and the bucket's place in it.
func TestEndpoints(t *testing.T) {
	isolate(t, nil)
	over, cancel := context.WithCancel(t.Context())
	cancel()                                   // nothing is sent
	for want, c := range map[string][3]string{ // region, bucket, service
		"https://logs.eu-west-1.amazonaws.com":                 {"eu-west-1", "", "logs"},
		"https://kinesis.cn-north-1.amazonaws.com.cn":          {"cn-north-1", "", "kinesis"},
		"https://lambda.us-gov-west-1.amazonaws.com":           {"us-gov-west-1", "", "lambda"},
		"https://sns.us-iso-east-1.c2s.ic.gov":                 {"us-iso-east-1", "", "sns"},
		"https://sns.us-isob-east-1.sc2s.sgov.gov":             {"us-isob-east-1", "", "sns"},
		"https://sns.eusc-de-east-1.amazonaws.eu":              {"eusc-de-east-1", "", "sns"},
		"https://my-bucket.s3.ap-southeast-2.amazonaws.com":    {"ap-southeast-2", "my-bucket", ""},
		"https://s3.ap-southeast-2.amazonaws.com":              {"ap-southeast-2", "my.bucket", ""},
		"https://my-bucket.s3.cn-northwest-1.amazonaws.com.cn": {"cn-northwest-1", "my-bucket", ""},
	} {
		cfg := aws.Config{AccessKeyID: "id", SecretAccessKey: "key", Region: c[0]}
		var err error
		if c[1] != "" {
			b, failed := aws.NewBucket("name", cfg, aws.BucketConfig{Bucket: c[1]})
			if failed != nil {
				t.Fatal(failed)
			}
			err = b.Put(over, "k", "text/plain", nil)
		} else {
			client, failed := aws.New(cfg, aws.Service{Name: "name", ID: c[2]})
			if failed != nil {
				t.Fatal(failed)
			}
			_, err = client.Do(over, aws.Request{})
		}
		if err == nil || err.Error() != "name: posting to "+want+": context canceled" {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for text, want := range map[string]string{
		"sqs.eu-west-1.amazonaws.com": "eu-west-1", "eu-central-1.queue.amazonaws.com": "eu-central-1", "queue.amazonaws.com": "", "localhost": "",
		"vpce-0a1-b2.sqs.us-gov-west-1.vpce.amazonaws.com": "us-gov-west-1", "arn:aws:sns:ap-northeast-3:123456789012:x": "ap-northeast-3", "arn:aws:lambda:us-east-1:1:function:f:1": "us-east-1", "falco": "",
	} {
		if got := aws.RegionIn(text); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

// TestNew finds what is wrong with a configuration before anything is sent.
func TestNew(t *testing.T) {
	for want, cfg := range map[string]aws.Config{
		"name: the id of an access key and the key must be set together": {AccessKeyID: "id"},
		"must be set together": {SecretAccessKey: "s3cret"},
		"is not a URL":         {Endpoint: "s3cret.example"},
		"authorities to trust": {HTTP: httpsink.Options{CAFile: "/none"}},
	} {
		if _, err := aws.New(cfg, aws.Service{Name: "name", ID: "sns"}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// written writes a file and returns its name.
func written(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// instance is the metadata service of an EC2 instance, version 2.
func instance(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/latest/api/token" && r.Method == http.MethodPut {
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "600")
		fmt.Fprint(w, "tok")
		return
	}
	if r.Header.Get("X-Aws-Ec2-Metadata-Token") != "tok" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch r.URL.Path {
	case "/latest/meta-data/iam/security-credentials/", "/latest/meta-data/iam/security-credentials-extended/":
		fmt.Fprint(w, "my-role")
	case "/latest/meta-data/iam/security-credentials/my-role", "/latest/meta-data/iam/security-credentials-extended/my-role":
		fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":"instance","SecretAccessKey":"k","Token":"t","Expiration":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	case "/latest/dynamic/instance-identity/document":
		fmt.Fprint(w, `{"region":"sa-east-1"}`)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// tokens is STS: it gives temporary keys whose id says what for.
func tokens(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f, action := r.PostForm, r.PostForm.Get("Action")
	id := strings.Join([]string{action, f.Get("RoleArn"), f.Get("ExternalId"), f.Get("WebIdentityToken"), f.Get("RoleSessionName")}, "|")
	if action == "AssumeRole" && !strings.Contains(r.Header.Get("Authorization"), "Credential=base/") {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	fmt.Fprintf(w, `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials><AccessKeyId>%[2]s</AccessKeyId><SecretAccessKey>k</SecretAccessKey>`+
		`<SessionToken>t</SessionToken><Expiration>%[3]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`, action, id, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}

// TestCredentials finds keys and the region where AWS's own programs do, and assumes roles.
func TestCredentials(t *testing.T) {
	sts, metadata := serve(t, tokens), serve(t, instance)
	container := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "pod token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"AccessKeyId":"container","SecretAccessKey":"k","Token":"t","Expiration":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	})
	profiles := written(t, "[default]\naws_access_key_id = wrong\naws_secret_access_key = k\n[mine]\naws_access_key_id = profile\naws_secret_access_key = k\n"+
		"[program]\ncredential_process = /bin/sh -c 'echo {\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"program\\\",\\\"SecretAccessKey\\\":\\\"k\\\"}'\n")
	regions := written(t, "[default]\nregion = wrong\n[profile mine]\nregion = eu-north-1\n[profile program]\nregion = eu-south-1\n")
	for _, c := range []struct {
		name        string
		environment map[string]string
		cfg         aws.Config
		want        string // key and region
	}{
		{"configuration", map[string]string{"AWS_ACCESS_KEY_ID": "wrong", "AWS_SECRET_ACCESS_KEY": "k", "AWS_REGION": "wrong"}, aws.Config{AccessKeyID: "own", SecretAccessKey: "k", Region: "eu-west-3"}, "own/eu-west-3"},
		{"environment", map[string]string{"AWS_ACCESS_KEY_ID": "environment", "AWS_SECRET_ACCESS_KEY": "k", "AWS_SESSION_TOKEN": "t", "AWS_REGION": "eu-west-2"}, aws.Config{}, "environment/eu-west-2"},
		{"keys here, region there", map[string]string{"AWS_DEFAULT_REGION": "eu-west-2"}, aws.Config{AccessKeyID: "own", SecretAccessKey: "k"}, "own/eu-west-2"},
		{"profile", map[string]string{"AWS_SHARED_CREDENTIALS_FILE": profiles, "AWS_CONFIG_FILE": regions}, aws.Config{Profile: "mine"}, "profile/eu-north-1"},
		{"program", map[string]string{"AWS_SHARED_CREDENTIALS_FILE": profiles, "AWS_CONFIG_FILE": regions, "AWS_PROFILE": "program"}, aws.Config{}, "program/eu-south-1"},
		{
			"web identity",
			map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": written(t, "jwt"), "AWS_ROLE_ARN": "arn:aws:iam::1:role/pod", "AWS_ROLE_SESSION_NAME": "s", "AWS_ENDPOINT_URL_STS": sts},
			aws.Config{Region: "eu-west-1"},
			"AssumeRoleWithWebIdentity|arn:aws:iam::1:role/pod||jwt|s/eu-west-1",
		},
		{
			"container",
			map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": container, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": written(t, "pod token"), "AWS_REGION": "eu-west-1"},
			aws.Config{},
			"container/eu-west-1",
		},
		{"instance", map[string]string{"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata}, aws.Config{}, "instance/sa-east-1"},
		{
			"role",
			map[string]string{"AWS_ENDPOINT_URL_STS": sts},
			aws.Config{AccessKeyID: "base", SecretAccessKey: "k", Region: "eu-west-1", RoleARN: "arn:aws:iam::2:role/sender", ExternalID: "s3cret"},
			"AssumeRole|arn:aws:iam::2:role/sender|s3cret||saker/eu-west-1",
		},
		{
			"role with keys of the environment",
			map[string]string{"AWS_ENDPOINT_URL_STS": sts, "AWS_ACCESS_KEY_ID": "base", "AWS_SECRET_ACCESS_KEY": "k", "AWS_REGION": "eu-west-1"},
			aws.Config{RoleARN: "arn:aws:iam::2:role/sender"},
			"AssumeRole|arn:aws:iam::2:role/sender|||saker/eu-west-1",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			isolate(t, c.environment)
			var got []string
			c.cfg.Endpoint = serve(t, func(_ http.ResponseWriter, r *http.Request) {
				_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
				credential, _, _ = strings.Cut(credential, ", ")
				scope := strings.Split(credential, "/")
				n := len(scope) - 4 // of date, region, service, end
				got = append(got, strings.Join(scope[:n], "/")+"/"+scope[n+1])
			})
			client, err := aws.New(c.cfg, aws.Service{Name: "name", ID: "sns"})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if _, err := client.Do(t.Context(), aws.Request{}); err != nil {
					t.Fatal(err)
				}
			}
			if len(got) != 2 || got[0] != c.want || got[1] != c.want {
				t.Errorf("got %q, want twice %q", got, c.want)
			}
		})
	}
}

// TestRenew takes other keys at once when the service says that they have expired, and tries again once.
func TestRenew(t *testing.T) {
	made, refused := 0, 0
	container := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		made++
		fmt.Fprintf(w, `{"AccessKeyId":"key%d","SecretAccessKey":"k","Token":"t","Expiration":%q}`, made, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	})
	isolate(t, map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": container, "AWS_REGION": "eu-west-1"})
	good := "key2"
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "Credential="+good+"/") {
			refused++
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}`)
		}
	})
	client, err := aws.New(aws.Config{Endpoint: url}, aws.Service{Name: "name", ID: "kinesis"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do(t.Context(), aws.Request{}); err != nil || made != 2 || refused != 1 {
		t.Errorf("%v after %d keys, %d of which were refused", err, made, refused)
	}
	good = "none"
	if _, err := client.Do(t.Context(), aws.Request{}); err == nil || route.Permanent(err) || refused != 3 {
		t.Errorf("%v after %d refusals", err, refused)
	}
}

// TestMissing keeps alerts while there are no credentials or no region, and says what is missing.
func TestMissing(t *testing.T) {
	isolate(t, nil)
	url := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request without credentials") })
	for want, cfg := range map[string]aws.Config{
		"name: no region is known: aws.region, AWS_REGION or the profile must name one; the instance does not: ": {AccessKeyID: "id", SecretAccessKey: "k"},
		"getting AWS credentials: ":                    {Region: "eu-west-1"},
		"looking for AWS credentials and the region: ": {Region: "eu-west-1", Profile: "none"},
	} {
		cfg.Endpoint = url
		client, err := aws.New(cfg, aws.Service{Name: "name", ID: "sns"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Do(t.Context(), aws.Request{}); err == nil || route.Permanent(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// TestEcho shows nothing of credentials that were found or made, whatever the server says of them.
func TestEcho(t *testing.T) {
	container := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"AccessKeyId":"key","SecretAccessKey":"s3cretKey","Token":"s3cretToken/+=","Expiration":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	})
	isolate(t, map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": container, "AWS_REGION": "eu-west-1"})
	signature := ""
	for _, form := range []string{"%s", "<Error><Code>AccessDenied</Code><Message>%s</Message></Error>", `{"__type":"SignatureDoesNotMatch","message":"%s"}`} {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, signature, _ = strings.Cut(r.Header.Get("Authorization"), "Signature=")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, form, "fine "+r.Header.Get("X-Amz-Security-Token")+" "+signature)
		})
		client, err := aws.New(aws.Config{Endpoint: url}, aws.Service{Name: "name", ID: "sns"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Do(t.Context(), aws.Request{})
		if err == nil || strings.Contains(err.Error(), "s3cret") || signature == "" || strings.Contains(err.Error(), signature) || !strings.HasSuffix(err.Error(), "fine *** ***") {
			t.Errorf("%s: %v", form, err)
		}
	}
}
