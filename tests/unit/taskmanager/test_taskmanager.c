#include "tests/unit.h"

#include "common/log.h"
#include "taskmanager/taskmanager.h"

/* A task manager of which only what it says to the job manager is seen. Time is a number. */
typedef struct fixture {
    leat_env env; /* first */
    leat_transport transport;
    leat_config config;
    leat_taskmanager taskmanager;
    int64_t now_us;
    int registrations, heartbeats;
} fixture;

static int64_t mono_us(leat_env *env)
{
    return ((fixture *)env)->now_us;
}

static const leat_env_vtable env_vtable = {.mono_us = mono_us};

static void on_send(leat_transport *transport, Leat__Pb__Envelope *envelope)
{
    fixture *self = (fixture *)((char *)transport - offsetof(fixture, transport));
    self->registrations += envelope->body_case == LEAT__PB__ENVELOPE__BODY_REGISTER_;
    self->heartbeats += envelope->body_case == LEAT__PB__ENVELOPE__BODY_HEARTBEAT;
}

static void start(fixture *self)
{
    leat_log_set_level(LEAT_LOG_OFF);
    *self = (fixture){.env = {.vtable = &env_vtable}, .transport = {.send_control = on_send}, .now_us = 1000000};
    assert_int_equal(leat_config_set(&self->config, "heartbeat.interval", "500 ms", NULL), LEAT_OK);
    assert_int_equal(leat_config_set(&self->config, "jobmanager.lease", "3 s", NULL), LEAT_OK);
    self->taskmanager = (leat_taskmanager){.id = "tm",
                                           .data_endpoint = "tcp://nowhere:1",
                                           .env = &self->env,
                                           .config = &self->config,
                                           .transport = &self->transport};
    assert_int_equal(leat_taskmanager_init(&self->taskmanager, NULL), LEAT_OK);
}

static void done(fixture *self)
{
    leat_taskmanager_done(&self->taskmanager);
    leat_config_done(&self->config);
}

static void say(fixture *self, Leat__Pb__Envelope__BodyCase kind, void *body)
{
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.version = 1;
    envelope.leader_epoch = 1;
    envelope.body_case = kind;
    envelope.register_again = body; /* of the union: any member */
    uint8_t packed[256];
    size_t size = leat__pb__envelope__pack(&envelope, packed);
    leat_taskmanager_on_control(&self->taskmanager, packed, size);
}

static void say_register_again(fixture *self)
{
    Leat__Pb__RegisterAgain message = LEAT__PB__REGISTER_AGAIN__INIT;
    say(self, LEAT__PB__ENVELOPE__BODY_REGISTER_AGAIN, &message);
}

static void it_registers_when_asked_to_and_once_for_many_requests(void **state)
{
    (void)state;
    fixture test;
    start(&test);
    leat_taskmanager_register(&test.taskmanager);
    say_register_again(&test); /* crossed the registration */
    assert_int_equal(test.registrations, 1);
    test.now_us += 600000;
    say_register_again(&test);
    say_register_again(&test);
    assert_int_equal(test.registrations, 2);
    done(&test);
}

static void it_beats_at_the_interval(void **state)
{
    (void)state;
    fixture test;
    start(&test);
    int64_t next_us = leat_taskmanager_on_tick(&test.taskmanager);
    assert_int_equal(next_us, test.now_us + 500000);
    (void)leat_taskmanager_on_tick(&test.taskmanager); /* woken by something else */
    assert_int_equal(test.heartbeats, 1);
    test.now_us = next_us;
    (void)leat_taskmanager_on_tick(&test.taskmanager);
    assert_int_equal(test.heartbeats, 2);
    done(&test);
}

static void the_lease_runs_from_the_last_word(void **state)
{
    (void)state;
    fixture test;
    start(&test);
    Leat__Pb__Registered message = LEAT__PB__REGISTERED__INIT;
    message.task_manager = message.cluster = (char[]){"x"};
    test.now_us += 2000000;
    say(&test, LEAT__PB__ENVELOPE__BODY_REGISTERED, &message);
    test.now_us += 3000000;
    (void)leat_taskmanager_on_tick(&test.taskmanager);
    assert_false(test.taskmanager.is_cut_off);
    test.now_us += 1;
    (void)leat_taskmanager_on_tick(&test.taskmanager);
    assert_true(test.taskmanager.is_cut_off);
    say(&test, LEAT__PB__ENVELOPE__BODY_REGISTERED, &message);
    assert_false(test.taskmanager.is_cut_off);
    done(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_registers_when_asked_to_and_once_for_many_requests),
        cmocka_unit_test(it_beats_at_the_interval),
        cmocka_unit_test(the_lease_runs_from_the_last_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
