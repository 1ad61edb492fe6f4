package com.example.packhouse.greeting;

/** How we greet, everywhere. */
public final class Greeting {
    private Greeting() {}

    /** The greeting for {@code name}; nobody in particular is the world. */
    public static String to(String name) {
        String who = name == null || name.isBlank() ? "world" : name.strip();
        return "Hello, " + who + "!";
    }
}
