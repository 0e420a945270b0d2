// Sends a value from a file, with both of Java's clients, and prints status and body of the answers.

import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;

class Upload {
    public static void main(String[] arguments) throws Exception {
        URI address = URI.create(System.getenv("PROMINENCE_URL") + "/kv/upload");
        String token = "Bearer " + System.getenv("PROMINENCE_TOKEN");
        Path file = Path.of(arguments[0]);

        HttpRequest request = HttpRequest.newBuilder(address)
                .header("Authorization", token)
                .version(HttpClient.Version.HTTP_1_1)
                .PUT(HttpRequest.BodyPublishers.ofFile(file))
                .build();
        HttpResponse<String> answer =
                HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        System.out.println(answer.statusCode() + " " + answer.body());

        HttpURLConnection connection = (HttpURLConnection) address.toURL().openConnection();
        connection.setRequestMethod("PUT");
        connection.setRequestProperty("Authorization", token);
        connection.setDoOutput(true);
        // The whole body is sent before the answer is read.
        connection.setFixedLengthStreamingMode(Files.size(file));
        try (var body = connection.getOutputStream()) {
            Files.copy(file, body);
        }
        int status = connection.getResponseCode();
        try (var error = connection.getErrorStream()) {
            System.out.println(status + " " + new String(error.readAllBytes()));
        }
    }
}
