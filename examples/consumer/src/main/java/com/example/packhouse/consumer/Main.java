package com.example.packhouse.consumer;

import com.example.packhouse.greeting.Greeting;

/** Prints a greeting, to show that the library came along. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) {
        System.out.println(Greeting.to(arguments.length == 0 ? null : arguments[0]));
    }
}
