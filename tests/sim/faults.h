/* Everything that goes wrong in a simulated world. Each fault draws from a stream of its own, so that the others stay
 * (nearly) as they were when it is turned off. */
#pragma once

typedef enum sim_fault {
    SIM_KILL,         /* of a task manager */
    SIM_PAUSE,        /* it is stopped, and woken later */
    SIM_SLOW,         /* all its steps are late for a while */
    SIM_MASTER_KILL,  /* of the job manager */
    SIM_MASTER_PAUSE, /* … */
    SIM_MASTER_SLOW,  /* … */
    SIM_BREAK,        /* of a connection */
    SIM_STALL,        /* a connection stands still for a while */
    SIM_STORE_FAIL,   /* a storage call fails without effect */
    SIM_STORE_LOSE,   /* it fails after its effect */
    SIM_STORE_REPEAT, /* its effect comes again later */
    SIM_STORE_LATE,   /* its effect comes after the caller's death */
    SIM_STORE_SLOW,   /* it takes seconds */
    SIM_STORE_TORN,   /* an upload that ends half done, a folder that is half removed */
    SIM_STORE_OUTAGE, /* storage fails for seconds on end */
    SIM_CANCEL,       /* of a job; another is submitted */
    SIM_FAULTS_COUNT,
} sim_fault;

/* As it is named on the command line and in the histogram. */
const char *sim_fault_name(sim_fault fault);
