package com.example.packhouse.webapp;

import com.google.gson.Gson;
import jakarta.servlet.annotation.WebServlet;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Answers {@code GET /greeting?name=…} with a greeting as JSON. */
@WebServlet("/greeting")
public class GreetingServlet extends HttpServlet {
    private static final long serialVersionUID = 1L;
    private static final Logger LOG = LoggerFactory.getLogger(GreetingServlet.class);
    private static final Gson JSON = new Gson();

    record Greeting(String name, String text) {}

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        Greeting greeting = greet(request.getParameter("name"));
        LOG.info("greeted {}", greeting.name());
        response.setContentType("application/json");
        response.setCharacterEncoding("UTF-8");
        JSON.toJson(greeting, response.getWriter());
    }

    static Greeting greet(String name) {
        String who = name == null || name.isBlank() ? "world" : name.strip();
        return new Greeting(who, "Hello, " + who + "!");
    }
}
