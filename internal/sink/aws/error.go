package aws

import "strings"

// refusals are the codes that an alert itself can be the reason for: its size, or what is in it.
var refusals = map[string]bool{
	"BatchRequestTooLong": true, "EntityTooLarge": true, "InvalidMessageContents": true, "InvalidParameter": true, "InvalidParameterException": true,
	"InvalidParameterValue": true, "InvalidParameterValueException": true, "InvalidRequestContentException": true, "KeyTooLongError": true,
	"MaxMessageLengthExceeded": true, "ParameterValueInvalid": true,
	"RequestEntityTooLargeException": true, "RequestTooLargeException": true,
	"SerializationException": true, "ValidationError": true, "ValidationException": true, "InvalidArgumentException": true,
	"UnsupportedMediaTypeException": true, "EntityTooLargeException": true, "MessageRejected": true,
}

// refused says whether an error with this code and status stays one when the same request is made again, whatever the
// operator does. Codes are as SQS and others write them: "AWS.SimpleQueueService.NonExistentQueue".
func refused(code, message string, status int) bool {
	code = strings.TrimPrefix(code, "AWS.SimpleQueueService.")
	switch {
	case code == "InvalidParameter" && strings.Contains(message, "TopicArn"): // of the configuration
		return false
	case status == 413 || refusals[code]:
		return true
	case code != "" || status < 400 || status >= 500: // a redirection is to another region
		return false
	}
	switch status {
	case 401, 403, 404, 408, 409, 425, 429:
		return false
	}
	return true // nothing is known but that it is the request's fault
}

// expired says whether a code means that other credentials of the same identity may do.
func expired(code string) bool {
	switch code {
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId":
		return true
	}
	return false
}
