"""Sends a value from a file, with urllib, requests and http.client, and prints status and body of the answers."""

import http.client
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

import requests

ADDRESS = os.environ["PROMINENCE_URL"] + "/kv/upload"
HEADERS = {"Authorization": "Bearer " + os.environ["PROMINENCE_TOKEN"]}

with open(sys.argv[1], "rb") as file:
    value = file.read()

try:
    urllib.request.urlopen(urllib.request.Request(ADDRESS, value, HEADERS, method="PUT"))
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())

for body in (value, open(sys.argv[1], "rb"), iter([value[:100_000], value[100_000:]])):
    answer = requests.put(ADDRESS, data=body, headers=HEADERS)
    print(answer.status_code, answer.text)

place = urllib.parse.urlsplit(ADDRESS)
connection = http.client.HTTPConnection(place.netloc)
connection.request("PUT", place.path, value, HEADERS)
answer = connection.getresponse()
print(answer.status, answer.read().decode())
