#include <string.h>

#include "common/memory.h"
#include "jobmanager/internal.h"

/* Who reads what others write (flow/operator.h): what was committed is told to the cluster's readers at once. */

enum { TOPICS_MAX = 64 }; /* of a task; one that is left out hears nothing, and finds out by itself */

void leat_jm_forget_topics(leat_jm_task *task)
{
    for (size_t i = 0; i < task->topics_count; i++)
        leat_free(task->topics[i]);
    leat_free(task->topics);
    task->topics = NULL;
    task->topics_count = 0;
}

void leat_jm_take_topics(leat_jm_task *task, const Leat__Pb__TaskStateChanged *message)
{
    leat_jm_forget_topics(task);
    size_t count = message->n_topics < TOPICS_MAX ? message->n_topics : TOPICS_MAX;
    task->topics = leat_calloc(count, sizeof *task->topics);
    for (size_t i = 0; task->topics && i < count; i++) {
        char *topic = leat_strdup(message->topics[i]);
        if (topic) task->topics[task->topics_count++] = topic;
    }
}

static bool follows(const leat_jm_task *task, const char *topic)
{
    for (size_t i = 0; i < task->topics_count; i++) {
        if (strcmp(task->topics[i], topic) == 0) return true;
    }
    return false;
}

static void tell(leat_jm_job *job, const leat_jm_task *task, const char *topic)
{
    Leat__Pb__News message = LEAT__PB__NEWS__INIT;
    message.job = leat_jm_job_id(job);
    message.attempt = leat_jm_task_attempt(job, task);
    message.vertex = (uint32_t)task->vertex;
    message.subtask = (uint32_t)task->subtask;
    message.topic = (char *)(uintptr_t)topic;
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_NEWS;
    envelope.news = &message;
    leat_jm_send(job->jobmanager, task->taskmanager, &envelope);
}

void leat_jm_announce(leat_jobmanager *self, const char *topic)
{
    for (leat_jm_job *job = self->jobs; job; job = job->next) {
        if (leat_job_state_is_terminal(job->state)) continue;
        leat_jm_enumerators_news(job, topic);
        for (int32_t i = 0; i < job->tasks_count; i++) {
            const leat_jm_task *task = &job->tasks[i];
            if (task->taskmanager >= 0 && follows(task, topic)) tell(job, task, topic);
        }
    }
}
